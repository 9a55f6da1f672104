import { declare, type KeyDeclaration } from './declaration.ts'

/** Keys of the archive in a partition. See stages/archive/manifest.ts. */
export const archiveKeys = {
  archive: declare({
    name: 'pipeline:archive',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds:
      'the manifest of the archive: `chain`, `partition`, `seq`, `head` (SHA-256 of the last line), `stored` (lines that the store has), `at`, `segments`, `bytes`, `failure`; or `left`, when the archive left',
  }),
  archiveLines: declare({
    name: 'pipeline:archive:lines',
    kind: 'list',
    owner: 'partition',
    erase: 'none',
    holds: 'the last lines of the manifest: all that the store does not have yet, and up to 100 that it has',
  }),
  archiveFlush: declare({
    name: 'pipeline:archive:flush',
    kind: 'string',
    owner: 'partition',
    erase: 'none',
    holds: 'the entry up to which `orders archive flush` wants the segments cut',
  }),
} satisfies Record<string, KeyDeclaration>
