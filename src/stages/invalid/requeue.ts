import type { App, Partition } from '../../app.ts'
import {
  type Channel,
  channels,
  groupOf,
  type History,
  outcomeSeconds,
  type RawRecord,
  type Rejection,
  rejectGroupNames,
} from '../../messages.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import { pipeline, rejectedBy } from '../pipeline.ts'
import type { Stage } from '../stage.ts'
import type { InvalidEntry } from './page.ts'

const script = loadScript(import.meta.url)

/** Whose orders are sent: verdicts go to the ticket's outcome, which counts what it sent up to `limit`. */
export interface Ticket {
  readonly ticket: string
  readonly limit: number
}

/** Another body for an order, and who put it there. */
export interface Edit {
  readonly body: string
  readonly by: string
}

/**
 * Sends rejected records round again: off the invalid channel and onto the stream they were rejected from, in one step
 * (see take.lua) per partition. Entries that are gone, or were no text and are not edited, stay out.
 * @param entries oldest first; of an edited one the new body is to be of the same partition
 * @returns the ids of those that were sent
 */
export async function replayEntries(
  app: App,
  entries: readonly InvalidEntry[],
  ticket: Ticket,
  edit?: Edit,
): Promise<string[]> {
  const sent: string[] = []
  for (const [keys, own] of Map.groupBy(entries, (entry) => entry.keys)) {
    const elsewhere = app.partitions.filter((other) => other !== keys)
    const before = await Promise.all(elsewhere.map((other) => app.redis.hget(other.outcome(ticket.ticket), 'sent')))
    const limit = before.reduce((left, count) => left - Number(count ?? 0), ticket.limit)
    sent.push(...(await replayIn({ ...app, keys }, own, { ...ticket, limit }, edit)))
  }
  return sent
}

async function replayIn(
  app: Partition,
  entries: readonly InvalidEntry[],
  ticket: Ticket,
  edit: Edit | undefined,
): Promise<string[]> {
  const raw = entries.flatMap((entry) => {
    const record = rejectingStage(entry) ? undefined : roundRecord(entry, ticket.ticket, edit, app.now())
    return record ? [{ entry, orders: 1, onStream: JSON.stringify(record) }] : []
  })
  const sent = await take(app, { mode: 'replay', stream: app.keys.stream.raw }, raw, ticket)
  for (const stage of edit ? [] : pipeline.filter(({ from }) => from !== 'raw')) {
    const ofStage = entries.filter((entry) => rejectingStage(entry) === stage)
    const records = ofStage.flatMap((entry) => {
      const orders = ordersIn(entry)
      return entry.text && orders ? [{ entry, orders, onStream: entry.text }] : []
    })
    const target: Target = {
      mode: 'return',
      stream: app.keys.stream[stage.from],
      args: [rejectedBy(stage), stage.name],
    }
    sent.push(...(await take(app, target, records, ticket)))
  }
  return sent
}

/** The later stage that rejected it, by a bug of ours: its orders are admitted, so they cannot come in again. */
function rejectingStage({ record }: InvalidEntry): Stage | undefined {
  return pipeline.find(({ name, from }) => name === record.stage && from !== 'raw')
}

/** Undefined where it is no record of its stage: an entry that could not be decoded. */
function ordersIn(entry: InvalidEntry): number | undefined {
  const stage = rejectingStage(entry)
  const channel = stage && (channels[stage.from] as Channel<object>)
  const parsed = channel?.record.safeParse(entry.record.order)
  return parsed?.success ? channel?.orders(parsed.data) : undefined
}

/** Moves a rejected record to `orders:discarded`, with why and by whom. False where it is gone already. */
export async function discardEntry(
  app: App,
  entry: InvalidEntry,
  why: { reason: string; by: string },
): Promise<boolean> {
  const args = [why.reason, why.by, app.now().toISOString()]
  const records = [{ entry, orders: 1, onStream: entry.json }]
  const { keys } = entry
  const target: Target = { mode: 'discard', stream: keys.discarded, args }
  return (await take({ ...app, keys }, target, records, { ticket: 'discard', limit: 1 })).length > 0
}

/** Takes an entry off the invalid channel and keeps what is to go round in its place with the ticket, until that is sent. */
export async function withdrawEntry(app: App, entry: InvalidEntry, ticket: string, record: RawRecord): Promise<void> {
  const { keys } = entry
  const records = [{ entry, orders: 1, onStream: JSON.stringify(record) }]
  await take({ ...app, keys }, { mode: 'withdraw', stream: keys.stream.raw }, records, { ticket, limit: 1 })
}

interface Target {
  readonly mode: 'replay' | 'return' | 'discard' | 'withdraw'
  readonly stream: string
  readonly args?: readonly string[]
}

interface Taken {
  readonly entry: InvalidEntry
  readonly orders: number
  readonly onStream: string
}

async function take(
  { redis, keys }: Partition,
  to: Target,
  records: readonly Taken[],
  from: Ticket,
): Promise<string[]> {
  if (records.length === 0) return []
  const names = [keys.invalid, keys.invalidOrders, to.stream, keys.counters, keys.outcome(from.ticket), keys.layoutKey]
  const first = names.push(...rejectGroupNames.map(keys.invalidGroup)) - rejectGroupNames.length + 1
  const [one = '', two = '', three = ''] = to.args ?? []
  const args = records.flatMap(({ entry, orders, onStream }) => {
    const group = rejectGroupNames.indexOf(groupOf(entry.record as Rejection))
    return [entry.id, first + group, orders, onStream]
  })
  const head = [to.mode, from.limit, outcomeSeconds, one, two, three, keys.layout]
  return (await runScript(redis, script, names, [...head, ...args])) as string[]
}

/** Of an order that is edited again and again, so many bodies are kept: each may have 1 MB. */
const mostEdits = 5

/** What goes round in the place of an entry; undefined where it was no text and is not edited. */
export function roundRecord(
  entry: InvalidEntry,
  ticket: string,
  edit: Edit | undefined,
  now: Date,
): RawRecord | undefined {
  const body = edit?.body ?? entry.text
  if (body === undefined) return undefined
  return { id: `replay ${entry.id}`, body, ticket, history: historyOf(entry, edit, now) }
}

function historyOf({ record, json, text }: InvalidEntry, edit: Edit | undefined, now: Date): History {
  const before = edit && { by: edit.by, ts: now.toISOString(), before: text ?? json }
  const edits = [...(record.edits ?? []), ...(before ? [before] : [])].slice(-mostEdits)
  return {
    attempts: record.attempts ?? 1,
    first_reason: record.first_reason ?? record.reason,
    first_ts: record.first_ts ?? record.ts,
    ...(edits.length > 0 && { edits }),
  }
}
