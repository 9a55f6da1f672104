import { z } from 'zod'
import type { App } from '../app.ts'
import { messageOf, OrdersError } from '../errors.ts'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { loadScript, runScript } from '../redis/script.ts'
import type { Telemetry } from '../telemetry.ts'
import { idMs, isoOf, olderThan } from '../time.ts'

const script = loadScript(import.meta.url)

/** What an operator did or is about to do: `what` is JSON. */
export interface Action {
  readonly action: string
  readonly by: string
  readonly what: string
  /** The same as may stand in a log, where whole orders have no place; `what` where it is not given. */
  readonly logged?: string
}

type Scope = Pick<App, 'redis' | 'control' | 'telemetry'>

/**
 * Days: longer than a year, for an audit of the year before. Entries: some MB at most (an entry has 4 KB at most, most 200
 * bytes). A quarter of them is one actor's share.
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

/** An action on record that has not ended yet. Should this process die, its entry says `begun` for good. */
export interface Begun {
  /** Records how it ended. @param what in the place of what was said at the beginning */
  end(outcome: string, what?: string): Promise<void>
  /** Takes it back: nothing was done. */
  cancel(): Promise<void>
}

/**
 * Records an action before it is carried out. It never throws: operators must be able to act on a Redis that takes no more
 * data. Every entry is a log line, too, so that there is a record in any case.
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
 * @param whatOf what was done, where the result says more of it than was known before
 */
export async function audited<T>(
  app: Scope,
  action: Action,
  act: () => Promise<T>,
  whatOf: (result: T) => string = () => action.what,
): Promise<T> {
  const begun = await beginAction(app, action)
  try {
    const result = await act()
    await begun.end('done', whatOf(result))
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

/** Has an entry count that another script wrote together with what it did. It never throws: the entry is there. */
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
  const id = z.string().safeParse(await runScript(redis, script, [control.audit, control.auditActors], args))
  if (!id.success) throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to audit-log.lua in an unknown shape.')
  return id.data
}

export interface AuditEntry {
  readonly id: string
  readonly ts: string
  readonly action: string
  readonly by: string
  readonly what: string
  /** `begun`, `done`, a status of HTTP, or why it failed; '' in entries of earlier versions. */
  readonly outcome: string
}

/** Reads the audit, newest first. @param before the id that they are older than */
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
    return { id, ts: isoOf(idMs(id)), action: of('action'), by: of('by'), what: of('what'), outcome: of('outcome') }
  })
}

/** Returns what an entry holds as JSON; one of an earlier version may hold a text that was cut. */
export function parseWhat(what: string): unknown {
  try {
    return JSON.parse(what)
  } catch {
    return what
  }
}
