import type { App } from '../../app.ts'
import type { OrderVerdict } from '../../control/job-queues.ts'
import type { Keys } from '../../keys.ts'
import { type RawRecord, rawRecord } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'
import type { RejectCode } from '../../reject-codes.ts'
import { sumBy } from '../../sums.ts'
import { hintIn } from '../hints/entry.ts'
import { readInvalidEntry } from './entry.ts'

/** The verdicts on the orders that a job requeued. */
export interface Outcome {
  readonly sent: number
  readonly admitted: number
  readonly corrected: number
  readonly duplicate: number
  readonly conflict: number
  /** Returned to the later stage that rejected them. That stage does not report its verdict. */
  readonly returned: number
  /** By code, without conflicts. */
  readonly rejected: Readonly<Record<string, number>>
  /** The job was cancelled: it sends no more (see cancel.ts). */
  readonly cancelled: boolean
  /** Orders that have their verdict. */
  readonly judged: number
  /** The id in the invalid channel of the order that was rejected last. */
  readonly invalidId: string | undefined
}

/** Sums the verdicts that the commit script has written for a job, over all partitions. */
export async function readOutcome(redis: RedisClient, partitions: readonly Keys[], jobId: string): Promise<Outcome> {
  const fields = await readFields(redis, partitions, jobId)
  const sums: Record<string, number> = {}
  for (const [name, count] of fields) if (!texts.includes(name)) sums[name] = (sums[name] ?? 0) + Number(count)
  const { sent = 0, admitted = 0, corrected = 0, duplicate = 0, conflict = 0, returned = 0, ...rejected } = sums
  const passed = { admitted, corrected, duplicate, conflict, returned }
  const judged = [...Object.values(passed), ...Object.values(rejected)].reduce((sum, count) => sum + count, 0)
  const invalidId = fields.find(([name]) => name === 'invalid_id')?.[1]
  const cancelled = fields.some(([name]) => name === 'cancelled')
  return { sent, ...passed, rejected, cancelled, judged, invalidId }
}

/** Reads how many orders a job has sent in the other partitions. */
export async function sentElsewhere(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  jobId: string,
  keys: Keys,
): Promise<number> {
  const others = partitions.filter((other) => other !== keys)
  const sent = await Promise.all(others.map((other) => redis.hget(other.outcome(jobId), 'sent')))
  return sumBy(sent, Number)
}

/** Reads the fields of all partitions. Those that a repartition moved have a longer name, which ends with the same word. */
async function readFields(
  redis: RedisClient,
  partitions: readonly Keys[],
  jobId: string,
): Promise<[name: string, value: string][]> {
  const read = await Promise.all(partitions.map((keys) => redis.hgetall(keys.outcome(jobId))))
  return read.flatMap(Object.entries<string>).map(([name, value]) => [name.split(' ').at(-1) ?? '', value])
}

/** Fields that are not counts. */
const texts = ['invalid_id', 'withdrawn', 'cancelled']

/** The record that a job has withdrawn from the invalid channel to send it in another partition (see requeue.lua). */
export async function readWithdrawn(
  redis: RedisClient,
  partitions: readonly Keys[],
  jobId: string,
): Promise<RawRecord | undefined> {
  const found = (await readFields(redis, partitions, jobId)).find(([name]) => name === 'withdrawn')
  return found && rawRecord.parse(JSON.parse(found[1]))
}

/** Returns the verdict on a job's only order, with its reason if it is still in the invalid channel. */
export async function readVerdict(
  { redis, partitions, format }: Pick<App, 'redis' | 'partitions' | 'format'>,
  outcome: Outcome,
): Promise<OrderVerdict> {
  if (outcome.admitted > 0) return { verdict: 'admitted' }
  if (outcome.corrected > 0) return { verdict: 'corrected' }
  if (outcome.duplicate > 0) return { verdict: 'duplicate' }
  const id = outcome.invalidId
  const entry = id === undefined ? undefined : await readInvalidEntry(redis, partitions, id)
  const code = (outcome.conflict > 0 ? 'conflict' : Object.keys(outcome.rejected)[0]) as RejectCode
  const verdict = code === 'conflict' ? 'conflict' : 'rejected'
  const hint = entry && hintIn(entry.json, format)
  return {
    ...{ verdict, code },
    ...(entry && { reason: entry.record.reason }),
    ...(hint !== undefined && { hint }),
    ...(id !== undefined && { invalid_id: id }),
  }
}
