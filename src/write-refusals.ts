import { messageOf } from './errors.ts'

/**
 * Replies of a server that is not the master any more, or not yet: another connection may lead to one that is. UNBLOCKED is
 * what a waiting read is told, too, when its stream is deleted.
 */
const notMaster = /^(READONLY|MASTERDOWN|LOADING)\b|^UNBLOCKED .*instance state/

export const isNotMaster = (error: unknown): boolean => notMaster.test(messageOf(error))

/** Replies of a server that answers but takes no writes: what is so, and what to do. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [
    /^READONLY\b|^UNBLOCKED .*instance state/,
    'Redis is a replica just now and takes no writes: wait until a master is there.',
  ],
  [/^MASTERDOWN\b/, 'Redis is a replica that has lost its master: wait until a master is there.'],
  [/^LOADING\b/, 'Redis is loading its data: wait until it is done.'],
  [
    /^NOREPLICAS\b/,
    'Redis has too few replicas and takes no writes: connect replicas, or lower min-replicas-to-write.',
  ],
  [/^MISCONF\b/, 'Redis cannot save to its disk and takes no writes: make room there; its log says what failed.'],
  [/^OOM\b/, 'Redis is full and takes no writes: raise maxmemory.'],
]

/** Says why Redis takes no writes just now; undefined where the error is about something else. */
export function refusalOfWrites(error: unknown): string | undefined {
  const message = messageOf(error)
  return refusals.find(([pattern]) => pattern.test(message))?.[1]
}
