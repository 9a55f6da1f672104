import type { App } from '../app.ts'
import { groupOf, type History, outcomeSeconds, type RawRecord, type Rejection, rejectGroupNames } from '../messages.ts'
import { loadScript, runScript } from '../script.ts'
import type { InvalidEntry } from './invalid-read.ts'

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
 * Sends rejected records round again: off the invalid channel and onto `orders:raw` in one step (see take.lua).
 * Entries that are gone, or were no text and are not edited, stay out.
 * @param entries oldest first
 * @returns the ids of those that were sent
 */
export async function replayEntries(
  app: App,
  entries: readonly InvalidEntry[],
  { ticket, limit }: Ticket,
  edit?: Edit,
): Promise<string[]> {
  const records = entries.flatMap((entry) => {
    const record = rawRecord(entry, ticket, edit, app.now())
    return record ? [{ entry, onStream: JSON.stringify(record) }] : []
  })
  return take(app, 'replay', records, { ticket, limit })
}

/** Moves a rejected record to `orders:discarded`, with why and by whom. False where it is gone already. */
export async function discardEntry(
  app: App,
  entry: InvalidEntry,
  why: { reason: string; by: string },
): Promise<boolean> {
  const fields = ['record', entry.json, 'reason', why.reason, 'by', why.by, 'ts', app.now().toISOString()]
  const taken = await take(app, 'discard', [{ entry, onStream: JSON.stringify(fields) }], { ticket: '-', limit: 1 })
  return taken.length > 0
}

async function take(
  { redis, keys }: App,
  mode: 'replay' | 'discard',
  records: readonly { entry: InvalidEntry; onStream: string }[],
  { ticket, limit }: Ticket,
): Promise<string[]> {
  if (records.length === 0) return []
  const target = mode === 'replay' ? keys.stream.raw : keys.discarded
  const names = [keys.invalid, keys.invalidOrders, target, keys.counters, keys.outcome(ticket)]
  const first = names.push(...rejectGroupNames.map(keys.invalidGroup)) - rejectGroupNames.length + 1
  const args = records.flatMap(({ entry, onStream }) => {
    const group = rejectGroupNames.indexOf(groupOf(entry.record as Rejection))
    return [entry.id, first + group, onStream]
  })
  return (await runScript(redis, script, names, [mode, limit, outcomeSeconds, ...args])) as string[]
}

function rawRecord(entry: InvalidEntry, ticket: string, edit: Edit | undefined, now: Date): RawRecord | undefined {
  const body = edit?.body ?? entry.text
  if (body === undefined) return undefined
  return { id: `replay ${entry.id}`, body, ticket, history: historyOf(entry, edit, now) }
}

function historyOf({ record, json, text }: InvalidEntry, edit: Edit | undefined, now: Date): History {
  const before = edit && { by: edit.by, ts: now.toISOString(), before: text ?? json }
  const edits = [...(record.edits ?? []), ...(before ? [before] : [])]
  return {
    attempts: record.attempts ?? 1,
    first_reason: record.first_reason ?? record.reason,
    first_ts: record.first_ts ?? record.ts,
    ...(edits.length > 0 && { edits }),
  }
}
