import { z } from 'zod'
import type { App } from '../app.ts'
import { messageOf } from '../errors.ts'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'
import { idMs, isoOf, olderThan } from '../stream-id.ts'
import type { Telemetry } from '../telemetry.ts'
import { type AdminAction, actionNamed, whatNamed } from './audit-actions.ts'

const addEntry = defineScript(import.meta.url, z.string())

/** An action of an operator, done or about to be done. `what` is JSON. */
export interface Action {
  readonly action: AdminAction | (string & {})
  readonly by: string
  readonly what: string
  /** `what` for the log, without whole orders; defaults to `what`. */
  readonly logged?: string
}

type Scope = Pick<App, 'redis' | 'control' | 'telemetry'>

/**
 * 400 days: longer than a year, for an audit of the year before. 20,000 entries are a few MB (most have 200 bytes, none more
 * than 4 KB). One actor may have a quarter of them.
 */
const [maxEntries, maxEntriesOfActor, days] = [20_000, 5_000, 400]
const maxNameLength = 200
const maxWhatLength = 4_000

export const nameOf = (by: string): string => by.slice(0, maxNameLength).toWellFormed()

export const fieldsOf = ({ action, by, what }: Action, outcome: string): string[] => [
  ...['action', action],
  ...['by', nameOf(by)],
  ...['what', what.slice(0, maxWhatLength)],
  ...['outcome', outcome],
]

/** A recorded action that has not ended. If this process dies, its entry keeps saying `begun`. */
export interface Begun {
  /** Records how it ended. @param what replaces what was recorded at the beginning */
  end(outcome: string, what?: string): Promise<void>
  /** Removes the entry: nothing was done. */
  cancel(): Promise<void>
}

/**
 * Records an action before it is carried out. Never throws: operators must be able to act on a full Redis. Every entry is also
 * a log line, so that there is a record in any case.
 */
export async function beginAction(app: Scope, action: Action): Promise<Begun> {
  const id = await write(app, action, 'begun')
  return {
    end: async (outcome, what = action.what) => void (await write(app, { ...action, what }, outcome, id)),
    cancel: async () => {
      logAction(app.telemetry, action, 'refused')
      await run(app, { fields: [], replaced: id }, action).catch(() => '') // then it says `begun`
    },
  }
}

/**
 * Records an action, carries it out, and records how it ended.
 * @param whatOf describes what was done by its result; undefined if nothing was done: then the record is removed
 */
export async function audited<T>(
  app: Scope,
  action: Action,
  act: () => Promise<T>,
  whatOf: (result: T) => string | undefined = () => action.what,
): Promise<T> {
  const begun = await beginAction(app, action)
  try {
    const result = await act()
    const what = whatOf(result)
    await (what === undefined ? begun.cancel() : begun.end('done', what))
    return result
  } catch (error) {
    await begun.end(`failed: ${messageOf(error).slice(0, maxNameLength)}`)
    throw error
  }
}

async function write(app: Scope, action: Action, outcome: string, replaced = ''): Promise<string> {
  logAction(app.telemetry, action, outcome)
  try {
    return await run(app, { fields: fieldsOf(action, outcome), replaced }, action)
  } catch (error) {
    app.telemetry.emit('auditFailed', { action: action.action, error: messageOf(error) })
    return ''
  }
}

function logAction(telemetry: Telemetry, { action, by, what, logged = what }: Action, outcome: string): void {
  telemetry.emit('audited', { action, by, what: logged.slice(0, maxWhatLength), outcome })
}

/** Counts an entry that another script wrote together with its action. Never throws: the entry exists. */
export async function countEntry(app: Scope, id: string, action: Action): Promise<void> {
  logAction(app.telemetry, action, 'done')
  await run(app, { fields: [], written: id }, action).catch(() => '')
}

interface Written {
  readonly fields: readonly string[]
  readonly replaced?: string
  readonly written?: string
}

async function run(
  { redis, control }: Scope,
  { fields, replaced = '', written = '' }: Written,
  { by }: Action,
): Promise<string> {
  const args = [maxEntries, maxEntriesOfActor, days, nameOf(by), replaced, written, ...fields]
  return addEntry(redis, [control.audit, control.auditActors], args)
}

export interface AuditEntry {
  readonly id: string
  readonly ts: string
  readonly action: string
  readonly by: string
  readonly what: string
  /** `begun`, `done`, an HTTP status, or why it failed; '' in entries of earlier versions. */
  readonly outcome: string
}

/** Reads the audit log, newest first. @param before returns only entries older than this id */
export async function readAudit(
  redis: RedisClient,
  control: ControlKeys,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<AuditEntry[]> {
  const end = olderThan(before)
  const entries = end === undefined ? [] : await redis.xrevrange(control.audit, end, '-', 'COUNT', limit)
  return entries.map(([id, fields]) => {
    const values = new Map<string, string>()
    for (let at = 0; at < (fields?.length ?? 0); at += 2) values.set(fields?.[at] ?? '', fields?.[at + 1] ?? '')
    const of = (name: string): string => values.get(name) ?? ''
    return {
      id,
      ts: isoOf(idMs(id)),
      action: actionNamed(of('action')),
      by: of('by'),
      what: of('what'),
      outcome: of('outcome'),
    }
  })
}

/** Parses the JSON of an entry; an entry of an earlier version may hold a truncated text. */
export function parseWhat(what: string): unknown {
  try {
    return whatNamed(JSON.parse(what))
  } catch {
    return what
  }
}
