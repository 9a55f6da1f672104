import { z } from 'zod'
import type { App, PartitionScope } from '../../app.ts'
import { type History, outcomeSeconds, type RawRecord, withTrace } from '../../messages.ts'
import { defineScript } from '../../redis/script.ts'
import { bridgeCodes, groupOf, type Rejection, rejectGroupNames } from '../../reject-codes.ts'
import type { Stage } from '../placed.ts'
import type { InvalidEntry } from './entry.ts'
import { sentElsewhere } from './outcome.ts'

const requeue = defineScript(import.meta.url, z.array(z.string()))

/** The job that requeues. Its outcome collects the verdicts and counts the records sent, up to `limit`. */
export interface RequeueOptions {
  readonly jobId: string
  readonly limit: number
}

/** A new body for an order, and its editor. */
export interface Edit {
  readonly body: string
  readonly by: string
}

/**
 * Requeues rejected records: moves them from the invalid channel to the stream they were rejected from, in one step per
 * partition (see requeue.lua). Skips entries that are gone, and those that were not text and are not edited.
 * @param entries oldest first; the new body of an edited one must belong to the same partition
 * @returns the ids of those that were sent
 */
export async function replayEntries(
  app: App,
  entries: readonly InvalidEntry[],
  options: RequeueOptions,
  edit?: Edit,
): Promise<string[]> {
  const sent: string[] = []
  for (const [keys, own] of Map.groupBy(entries, (entry) => entry.keys)) {
    const limit = options.limit - (await sentElsewhere(app, options.jobId, keys))
    sent.push(...(await replayIn({ ...app, keys }, own, { ...options, limit }, edit)))
  }
  return sent
}

async function replayIn(
  scope: PartitionScope,
  entries: readonly InvalidEntry[],
  options: RequeueOptions,
  edit: Edit | undefined,
): Promise<string[]> {
  const raw = entries.flatMap((entry) => {
    const isAdmitted = entry.record.stage !== undefined // a later stage rejected it, perhaps one that no longer exists
    const record = isAdmitted ? undefined : roundRecord(entry, options.jobId, edit, scope.now())
    return record ? [{ entry, orders: 1, onStream: JSON.stringify(withTrace(record, scope.trace)) }] : []
  })
  const sent = await take(scope, { mode: 'replay', stream: scope.keys.stream('raw') }, raw, options)
  for (const stage of edit ? [] : scope.pipeline.stages.filter(({ isFirst }) => !isFirst)) {
    const records = entries.flatMap((entry) => {
      const back = returningRecord(scope, entry)
      return back?.stage === stage && entry.text ? [{ entry, orders: back.orders, onStream: entry.text }] : []
    })
    const target: Target = {
      mode: 'return',
      stream: scope.keys.stream(stage.from),
      args: [stage.counters.rejected, stage.name],
    }
    sent.push(...(await take(scope, target, records, options)))
  }
  return sent
}

/** A record that goes back to the later stage that rejected it. Its order is admitted: the first stage would drop it. */
interface ReturningRecord {
  readonly stage: Stage
  readonly record: object
  readonly orders: number
}

/** Returns undefined if no later stage rejected it, that stage no longer exists, or its entry could not be decoded. */
export function returningRecord(
  { pipeline }: Pick<App, 'pipeline'>,
  { record: { stage: name = '', order } }: InvalidEntry,
): ReturningRecord | undefined {
  const stage = pipeline.stage(name)
  if (!stage || stage.isFirst) return undefined
  const channel = pipeline.channel(stage.from)
  const { data: record } = channel.record.safeParse(order)
  return record && { stage, record, orders: channel.orders(record) }
}

/** Says why an order is discarded, and by whom. */
export interface Discarding {
  readonly reason: string
  readonly by: string
}

/** Moves rejected records to `orders:discarded`, with reason and operator. Returns how many were still there. */
export async function discardEntries(app: App, entries: readonly InvalidEntry[], why: Discarding): Promise<number> {
  const args = [why.reason, why.by, app.now().toISOString()]
  let discarded = 0
  for (const [keys, own] of Map.groupBy(entries, (entry) => entry.keys)) {
    const records = own.map((entry) => ({ entry, orders: 1, onStream: entry.json }))
    const target: Target = { mode: 'discard', stream: keys.discarded, args }
    discarded += (await take({ ...app, keys }, target, records, { jobId: 'discard', limit: own.length })).length
  }
  return discarded
}

/** Does the same with one. Returns false if it is already gone. */
export async function discardEntry(app: App, entry: InvalidEntry, why: Discarding): Promise<boolean> {
  return (await discardEntries(app, [entry], why)) > 0
}

/** Removes an entry from the invalid channel and keeps its replacement with the job until that is sent. */
export async function withdrawEntry(app: App, entry: InvalidEntry, jobId: string, record: RawRecord): Promise<void> {
  const { keys } = entry
  const records = [{ entry, orders: 1, onStream: JSON.stringify(record) }]
  await take({ ...app, keys }, { mode: 'withdraw', stream: keys.stream('raw') }, records, { jobId, limit: 1 })
}

/** Removes an entry whose order was sent again. */
export async function removeEntry(app: App, entry: InvalidEntry): Promise<void> {
  await removeEntries({ ...app, keys: entry.keys }, [entry], 'replayed')
}

/** Removes entries of a partition. Returns how many were there. @param counter of the books that says why */
export async function removeEntries(
  scope: PartitionScope,
  entries: readonly InvalidEntry[],
  counter: 'replayed' | 'erased:invalid' | 'expired:invalid',
): Promise<number> {
  const target: Target = { mode: 'remove', stream: scope.keys.stream('raw'), args: [counter] }
  const records = entries.map((entry) => ({ entry, orders: 1, onStream: '' }))
  return (await take(scope, target, records, { jobId: 'remove', limit: entries.length })).length
}

interface Target {
  readonly mode: 'replay' | 'return' | 'discard' | 'withdraw' | 'remove'
  readonly stream: string
  readonly args?: readonly string[]
}

interface Taken {
  readonly entry: InvalidEntry
  readonly orders: number
  readonly onStream: string
}

async function take(
  { redis, keys }: PartitionScope,
  to: Target,
  records: readonly Taken[],
  options: RequeueOptions,
): Promise<string[]> {
  if (records.length === 0) return []
  const names = [
    keys.invalid,
    keys.invalidOrders,
    to.stream,
    keys.counters,
    keys.outcome(options.jobId),
    keys.layoutKey,
    keys.compared,
  ]
  const first = names.push(...rejectGroupNames.map(keys.invalidGroup)) - rejectGroupNames.length + 1
  const [one = '', two = '', three = ''] = to.args ?? []
  const args = records.flatMap(({ entry, orders, onStream }) => {
    const group = rejectGroupNames.indexOf(groupOf(entry.record as Rejection))
    return [entry.id, first + group, orders, onStream]
  })
  const head = [to.mode, options.limit, outcomeSeconds, one, two, three, keys.layout]
  return requeue(redis, names, [...head, ...args])
}

/** Edits kept per order: each has a body of up to 1 MB. */
const maxEdits = 5

/** Returns the record that replaces an entry; undefined if the entry was not text and is not edited. */
export function roundRecord(
  entry: InvalidEntry,
  jobId: string,
  edit: Edit | undefined,
  now: Date,
): RawRecord | undefined {
  const body = edit?.body ?? entry.text
  if (body === undefined) return undefined
  const { envelope } = entry.record
  const rejection = edit ? undefined : bridgeRejection(entry)
  return { id: `replay ${entry.id}`, body, jobId, history: historyOf(entry, edit, now), envelope, rejection }
}

/** Returns the rejection if it was the bridge's own: validate would not see its cause. */
export function bridgeRejection({ record: { code, reason } }: InvalidEntry): RawRecord['rejection'] {
  const own = bridgeCodes.find((one) => one === code)
  return own && { code: own, reason }
}

function historyOf({ record, json, text }: InvalidEntry, edit: Edit | undefined, now: Date): History {
  const before = edit && { by: edit.by, ts: now.toISOString(), before: text ?? json }
  const edits = [...(record.edits ?? []), ...(before ? [before] : [])].slice(-maxEdits)
  return {
    attempts: record.attempts ?? 1,
    first_reason: record.first_reason ?? record.reason,
    first_ts: record.first_ts ?? record.ts,
    ...(edits.length > 0 && { edits }),
  }
}
