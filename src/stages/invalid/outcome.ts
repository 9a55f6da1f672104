import type { OrderVerdict } from '../../control/job-queues.ts'
import type { Keys } from '../../keys.ts'
import { channels, type RawRecord, type RejectCode } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'
import { hintIn } from '../hints/entry.ts'
import { readInvalidEntry } from './page.ts'

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

/** Sums of all verdicts that the commit script has written for a ticket, in all partitions. */
export async function readOutcome(redis: RedisClient, partitions: readonly Keys[], ticket: string): Promise<Outcome> {
  const fields = await readFields(redis, partitions, ticket)
  const sums: Record<string, number> = {}
  for (const [name, count] of fields) if (!texts.includes(name)) sums[name] = (sums[name] ?? 0) + Number(count)
  const { sent = 0, admitted = 0, duplicate = 0, conflict = 0, returned = 0, ...rejected } = sums
  const passed = { admitted, duplicate, conflict, returned }
  const judged = [...Object.values(passed), ...Object.values(rejected)].reduce((sum, count) => sum + count, 0)
  const invalidId = fields.find(([name]) => name === 'invalid_id')?.[1]
  return { sent, ...passed, rejected, judged, invalidId }
}

/** What a repartition brought from elsewhere stands under a longer name, which ends with the same word. */
async function readFields(
  redis: RedisClient,
  partitions: readonly Keys[],
  ticket: string,
): Promise<[name: string, value: string][]> {
  const read = await Promise.all(partitions.map((keys) => redis.hgetall(keys.outcome(ticket))))
  return read.flatMap(Object.entries<string>).map(([name, value]) => [name.split(' ').at(-1) ?? '', value])
}

/** Fields that are no counts. */
const texts = ['invalid_id', 'withdrawn']

/** The record that a ticket has withdrawn from the invalid channel to send it in another partition (see take.lua). */
export async function readWithdrawn(
  redis: RedisClient,
  partitions: readonly Keys[],
  ticket: string,
): Promise<RawRecord | undefined> {
  const found = (await readFields(redis, partitions, ticket)).find(([name]) => name === 'withdrawn')
  return found && (channels.raw.record.parse(JSON.parse(found[1])) as RawRecord)
}

/** The verdict on a ticket's only order; the reason is read from where it is in the invalid channel, if it is still there. */
export async function readVerdict(
  redis: RedisClient,
  partitions: readonly Keys[],
  outcome: Outcome,
): Promise<OrderVerdict> {
  if (outcome.admitted > 0) return { verdict: 'admitted' }
  if (outcome.duplicate > 0) return { verdict: 'duplicate' }
  const id = outcome.invalidId
  const entry = id === undefined ? undefined : await readInvalidEntry(redis, partitions, id)
  const code = (outcome.conflict > 0 ? 'conflict' : Object.keys(outcome.rejected)[0]) as RejectCode
  const verdict = code === 'conflict' ? 'conflict' : 'rejected'
  const hint = entry && hintIn(entry.json)
  return {
    ...{ verdict, code },
    ...(entry && { reason: entry.record.reason }),
    ...(hint !== undefined && { hint }),
    ...(id !== undefined && { invalid_id: id }),
  }
}
