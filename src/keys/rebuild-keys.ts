import { declare, type KeyDeclaration } from './declaration.ts'

/** Keys of a rebuild in a partition. See ops/rebuild/rebuild.ts. */
export const rebuildKeys = {
  rebuildProgress: declare({
    name: 'rebuild:progress',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds: '`run`, `what`, per chain of the archive how far `orders rebuild` has read it',
  }),
  rebuildKept: declare({
    name: 'rebuild:kept:<name>',
    kind: 'hash',
    owner: 'partition',
    erase: 'shadow',
    holds: 'what a flip of `orders rebuild` has added, for its undo: JSON for each step; expires after a day',
  }),
} satisfies Record<string, KeyDeclaration>
