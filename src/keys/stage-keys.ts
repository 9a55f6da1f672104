import { declare, type KeyDeclaration } from './declaration.ts'

/** Keys of a partition that the runner keeps of its stages. */
export const stageKeys = {
  /** Ids by the ms of their entries. */
  committed: declare({
    name: 'pipeline:committed:<stage>',
    kind: 'zset',
    owner: 'partition',
    erase: 'none',
    holds: 'entries that the stage has committed and that its stream still holds: none is committed again',
  }),
  stages: declare({
    name: 'pipeline:stages',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds: 'stage → channel that it reads: a process whose list of stages differs does not mix with the others',
  }),
  /** See stages/missed-before.ts. */
  missedBefore: declare({
    name: 'pipeline:missed',
    kind: 'hash',
    owner: 'partition',
    erase: 'none',
    holds:
      'stage → the first entry that it was given where orders had passed before: its `<stage>:missed`; `first <stage>` → the same of its first begin, of one that was away; `sound <stage>` → up to there a flip of `orders rebuild` found that it counts nothing that the archive missed',
  }),
} satisfies Record<string, KeyDeclaration>
