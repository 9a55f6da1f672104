import type { Keys } from '../keys.ts'
import type { RejectCode } from '../messages.ts'
import type { OrderVerdict } from '../queues.ts'
import type { RedisClient } from '../redis.ts'
import { readInvalidEntry } from './invalid-read.ts'

/** What became of the orders that a job sent round: how many were sent, and how many judged how. */
export interface Outcome {
  readonly sent: number
  readonly admitted: number
  readonly duplicate: number
  readonly conflict: number
  /** Put back before the later stage that rejected them; that stage does not report. */
  readonly returned: number
  /** By code, conflicts left out. */
  readonly rejected: Readonly<Record<string, number>>
  /** Orders that have their verdict. */
  readonly judged: number
  /** Where a rejected one is in the invalid channel now: the last of them. */
  readonly invalidId: string | undefined
}

/** Sums of all verdicts that the commit script has written for a ticket. */
export async function readOutcome(redis: RedisClient, keys: Keys, ticket: string): Promise<Outcome> {
  const { sent, admitted, duplicate, conflict, returned, invalid_id, ...codes } = await redis.hgetall(
    keys.outcome(ticket),
  )
  const rejected = Object.fromEntries(Object.entries(codes).map(([code, count]) => [code, Number(count)]))
  const passed = {
    admitted: Number(admitted ?? 0),
    duplicate: Number(duplicate ?? 0),
    conflict: Number(conflict ?? 0),
    returned: Number(returned ?? 0),
  }
  const judged = [...Object.values(passed), ...Object.values(rejected)].reduce((sum, count) => sum + count, 0)
  return { sent: Number(sent ?? 0), ...passed, rejected, judged, invalidId: invalid_id }
}

/** The verdict on a ticket's only order; the reason is read from where it is in the invalid channel, if it is still there. */
export async function readVerdict(redis: RedisClient, keys: Keys, outcome: Outcome): Promise<OrderVerdict> {
  if (outcome.admitted > 0) return { verdict: 'admitted' }
  if (outcome.duplicate > 0) return { verdict: 'duplicate' }
  const id = outcome.invalidId
  const entry = id === undefined ? undefined : await readInvalidEntry(redis, keys, id)
  const code = (outcome.conflict > 0 ? 'conflict' : Object.keys(outcome.rejected)[0]) as RejectCode
  const verdict = code === 'conflict' ? 'conflict' : 'rejected'
  return { verdict, code, ...(entry && { reason: entry.record.reason }), ...(id !== undefined && { invalid_id: id }) }
}
