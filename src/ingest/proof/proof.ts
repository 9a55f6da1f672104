import type { DeleteAfter } from '../../config/variables/bridge.ts'

/** The facts about Redis that decide how a write can be confirmed; of a cluster those of its weakest master. */
export interface DurabilityFacts {
  /** The append-only file; `hidden` where INFO does not show it. */
  readonly file: 'on' | 'off' | 'hidden'
  /** False if the last write to the file failed. */
  readonly writesFile: boolean
  /** Value of `appendfsync`; undefined where CONFIG is not allowed. */
  readonly fsync: string | undefined
  /** False if nothing is synced while a child of Redis writes a file. */
  readonly syncsWhileRewriting: boolean
  /** True if WAITAOF is known and allowed. Redis before 7.2 does not know it. */
  readonly waitaof: boolean
  /** True if WAIT is allowed. */
  readonly wait: boolean
  /** True if a server is not a master any more: the other facts are not those of its master. */
  readonly isReplica: boolean
}

/**
 * Age at which a write with `everysec` is on disk, if no fsync is outstanding: Redis syncs its file a second after the
 * write, and puts that off for two seconds at most while the disk is slow; then it says that an fsync is in progress.
 */
export const everysecMs = 2_000

/** How a write is confirmed before its message is deleted from SQS. */
export type Proof =
  | { readonly by: 'reply' }
  | { readonly by: 'WAITAOF' }
  | { readonly by: 'age' }
  | { readonly by: 'WAIT'; readonly replicas: number }
  | { readonly by: 'nothing'; readonly why: string; readonly advice: string }

/** Decides what confirms a write. @param wanted SQS_DELETE_AFTER, if it is set */
export function decideProof(wanted: DeleteAfter | undefined, facts: DurabilityFacts): Proof {
  const { file, fsync, syncsWhileRewriting, waitaof, wait } = facts
  if (wanted?.kind === 'write') return { by: 'reply' }
  if (wanted?.kind === 'replicas')
    return wait ? { by: 'WAIT', replicas: wanted.replicas } : withoutWait(wanted.replicas)
  if (file !== 'on' && !(file === 'hidden' && waitaof)) return wanted ? withoutFile(file) : { by: 'reply' }
  // With always, Redis calls fsync before it replies, except during a rewrite if no-appendfsync-on-rewrite is on.
  if (file === 'on' && fsync === 'always' && syncsWhileRewriting) return { by: 'reply' }
  return { by: waitaof ? 'WAITAOF' : 'age' }
}

const withoutWait = (replicas: number): Proof => ({
  by: 'nothing',
  why: `SQS_DELETE_AFTER=replicas:${replicas}, but Redis refuses WAIT`,
  advice: 'Allow WAIT, or set SQS_DELETE_AFTER=write: messages would never be deleted from SQS.',
})

function withoutFile(file: 'off' | 'hidden'): Proof {
  if (file === 'off') {
    const why = 'SQS_DELETE_AFTER=fsync, but there is no append-only file'
    const advice = 'Turn on appendonly or set SQS_DELETE_AFTER=write: messages would never be deleted from SQS.'
    return { by: 'nothing', why, advice }
  }
  const why = 'SQS_DELETE_AFTER=fsync, but neither INFO nor WAITAOF says whether orders are on the disk of Redis'
  return { by: 'nothing', why, advice: 'Allow INFO, or set SQS_DELETE_AFTER=write.' }
}
