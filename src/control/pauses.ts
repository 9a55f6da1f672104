import { z } from 'zod'
import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { loadScript, runScript } from '../redis/script.ts'
import { countEntry, fieldsOf, nameOf } from './audit-log.ts'

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
  const wanted = { by: nameOf(by), ts: app.now().toISOString(), ...(reason && { reason }) }
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

const reply = z.tuple([z.int(), z.string(), z.string(), z.string()])

async function steer(app: Place, { part, wanted, action, operator }: Change): Promise<Steered> {
  const { redis, control, telemetry } = app
  const { by, reason } = operator
  const asked = { action, by, what: JSON.stringify({ part, reason }) }
  const args = [part, wanted ? JSON.stringify(wanted) : '', by, ...fieldsOf(asked, 'done')]
  const parsed = reply.safeParse(await runScript(redis, script, [control.steering, control.audit], args))
  if (!parsed.success) throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to steering.lua in an unknown shape.')
  const [changed, text, entry, refused] = parsed.data
  if (refused !== '') telemetry.emit('auditFailed', { action, error: `${control.audit} cannot be written: ${refused}` })
  if (changed === 1) await countEntry(app, entry, asked)
  const before = text === '' ? undefined : pauseOf(text)
  return { part, changed: changed === 1, before, pause: changed === 1 ? wanted : before }
}
