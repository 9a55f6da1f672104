import { z } from 'zod'
import type { App } from './app.ts'
import { messageOf, OrdersError } from './errors.ts'
import type { ControlKeys } from './keys.ts'
import type { RedisClient } from './redis.ts'
import { loadScript, runScript } from './script.ts'
import { idMs, isoOf } from './time.ts'

const script = loadScript(import.meta.url)

/** By whom a part is paused, since when and why. What somebody wrote there by hand pauses too, and tells nothing. */
export const pause = z.object({
  by: z.string(),
  ts: z.iso.datetime().optional().meta({ description: 'Since when.' }),
  reason: z.string().optional(),
})
export type Pause = z.output<typeof pause>

/** The paused parts; a part that is not there runs. */
export type Steering = Readonly<Record<string, Pause>>

export async function readSteering(redis: RedisClient, control: ControlKeys): Promise<Steering> {
  const fields = await redis.hgetall(control.steering)
  return Object.fromEntries(Object.entries(fields).map(([part, text]) => [part, pauseOf(text)]))
}

function pauseOf(text: string): Pause {
  try {
    return pause.parse(JSON.parse(text))
  } catch {
    return { by: 'unknown' }
  }
}

/** Who wants it and why. */
export interface Operator {
  readonly by: string
  readonly reason?: string | undefined
}

/** What came of it; `changed` is false where it was so already. */
export interface Steered {
  readonly part: string
  readonly changed: boolean
  readonly before: Pause | undefined
  /** Undefined where it runs. */
  readonly pause: Pause | undefined
}

type Place = Pick<App, 'redis' | 'control' | 'telemetry' | 'now'>

/** Pauses a part for every process, until it is resumed. Who pauses what another has paused takes the pause over. */
export async function pausePart(
  app: Place,
  part: string,
  { by, reason }: Operator,
  action = 'pause',
): Promise<Steered> {
  const wanted = { by: by.slice(0, longestName).toWellFormed(), ts: app.now().toISOString(), ...(reason && { reason }) }
  return steer(app, { part, wanted, action, operator: { by: wanted.by, reason } })
}

export async function resumePart(app: Place, part: string, operator: Operator): Promise<Steered> {
  return steer(app, { part, wanted: undefined, action: 'resume', operator })
}

interface Change {
  readonly part: string
  readonly wanted: Pause | undefined
  readonly action: string
  readonly operator: Operator
}

const reply = z.tuple([z.int(), z.string(), z.string()])

async function steer(
  { redis, control, telemetry }: Place,
  { part, wanted, action, operator }: Change,
): Promise<Steered> {
  const { by, reason } = operator
  const entry = fieldsOf({ action, by, what: JSON.stringify({ part, reason }) })
  const args = [part, wanted ? JSON.stringify(wanted) : '', by, mostActions, ...entry]
  const parsed = reply.safeParse(await runScript(redis, script, [control.steering, control.audit], args))
  if (!parsed.success) throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to steering.lua in an unknown shape.')
  const [changed, text, refused] = parsed.data
  if (refused !== '') telemetry.emit('auditFailed', { action, error: `${control.audit} cannot be written: ${refused}` })
  const before = text === '' ? undefined : pauseOf(text)
  return { part, changed: changed === 1, before, pause: changed === 1 ? wanted : before }
}

/** What somebody did as an admin: `what` is JSON, cut to 2,000 characters. */
export interface Action {
  readonly action: string
  readonly by: string
  readonly what: string
}

/** Some months of work by hand, some MB at most. */
const mostActions = 10_000
const longestWhat = 2_000
const longestName = 200

const fieldsOf = ({ action, by, what }: Action): string[] => [
  ...['action', action],
  ...['by', by.slice(0, longestName)],
  ...['what', what.slice(0, longestWhat)],
]

/** Writes down what was done. It never throws: what was done is done, also where the audit cannot be written. */
export async function recordAction({ redis, control, telemetry }: Omit<Place, 'now'>, action: Action): Promise<void> {
  try {
    await redis.xadd(control.audit, 'MAXLEN', '~', mostActions, '*', ...fieldsOf(action))
  } catch (error) {
    telemetry.emit('auditFailed', { action: action.action, error: messageOf(error) })
  }
}

export interface AuditEntry extends Action {
  readonly id: string
  readonly ts: string
}

/** Newest first. @param before the id that they are older than */
export async function readAudit(
  redis: RedisClient,
  control: ControlKeys,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<AuditEntry[]> {
  const entries = await redis.xrevrange(control.audit, before ? `(${before}` : '+', '-', 'COUNT', limit)
  return entries.map(([id, fields]) => {
    const [, action = '', , by = '', , what = ''] = fields ?? []
    return { id, ts: isoOf(idMs(id)), action, by, what }
  })
}
