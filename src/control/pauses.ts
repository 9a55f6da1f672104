import { z } from 'zod'
import type { App } from '../app.ts'
import type { ControlKeys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'
import { countEntry, fieldsOf, nameOf } from './audit-log.ts'

const writePause = defineScript(import.meta.url, z.tuple([z.int(), z.string(), z.string(), z.string()]))

/**
 * A pause of a component: by whom, since when and why. Any other value, written by hand, pauses too, and is shown as paused
 * by `unknown`.
 */
export const pauseSchema = z.object({
  by: z.string(),
  ts: z.iso.datetime().optional().meta({ description: 'Since when.' }),
  reason: z.string().optional(),
})
export type Pause = z.output<typeof pauseSchema>

/** The paused components; every other one runs. */
export type Pauses = Readonly<Record<string, Pause>>

export async function readPauses(redis: RedisClient, control: ControlKeys): Promise<Pauses> {
  const fields = await redis.hgetall(control.pauses)
  return Object.fromEntries(Object.entries(fields).map(([component, text]) => [component, pauseOf(text)]))
}

function pauseOf(text: string): Pause {
  try {
    return pauseSchema.parse(JSON.parse(text))
  } catch {
    return { by: 'unknown' }
  }
}

/** The operator who pauses or resumes, and the reason. */
export interface Operator {
  readonly by: string
  readonly reason?: string | undefined
}

/** Result of a pause or resume; `changed` is false if the component was already in that state. */
export interface PauseResult {
  readonly component: string
  readonly changed: boolean
  readonly before: Pause | undefined
  /** Undefined if it runs. */
  readonly pause: Pause | undefined
}

type Place = Pick<App, 'redis' | 'control' | 'telemetry' | 'now'>

/** Pauses a component in every process until it is resumed. An operator who pauses a paused component takes the pause over. */
export async function pauseComponent(
  app: Place,
  component: string,
  { by, reason }: Operator,
  action = 'pause',
): Promise<PauseResult> {
  const wanted = { by: nameOf(by), ts: app.now().toISOString(), ...(reason && { reason }) }
  return changePause(app, { component, wanted, action, operator: { by: wanted.by, reason } })
}

export async function resumeComponent(app: Place, component: string, operator: Operator): Promise<PauseResult> {
  return changePause(app, { component, wanted: undefined, action: 'resume', operator })
}

interface Change {
  readonly component: string
  readonly wanted: Pause | undefined
  readonly action: string
  readonly operator: Operator
}

async function changePause(app: Place, { component, wanted, action, operator }: Change): Promise<PauseResult> {
  const { redis, control, telemetry } = app
  const { by, reason } = operator
  const asked = { action, by, what: JSON.stringify({ component, reason }) }
  const args = [component, wanted ? JSON.stringify(wanted) : '', by, ...fieldsOf(asked, 'done')]
  const [changed, text, entry, refused] = await writePause(redis, [control.pauses, control.audit], args)
  if (refused !== '') telemetry.emit('auditFailed', { action, error: `${control.audit} cannot be written: ${refused}` })
  if (changed === 1) await countEntry(app, entry, asked)
  const before = text === '' ? undefined : pauseOf(text)
  return { component, changed: changed === 1, before, pause: changed === 1 ? wanted : before }
}

/** Says in a sentence what a pause or a resume did. */
export function pauseText({ component, changed, before, pause }: PauseResult): string {
  const whose = ({ by, ts }: Pause): string => (ts ? `${by} since ${ts}` : by)
  if (!changed) return pause ? `${component} was already paused by ${whose(pause)}.` : `${component} was not paused.`
  const was = before ? ` Before that it was paused by ${whose(before)}.` : ''
  return pause ? `${component} is paused by ${pause.by}.${was}` : `${component} runs again.${was}`
}

/** Says that there is no such component, and names those that there are. */
export const unknownComponent = (component: string, components: readonly string[]): string =>
  `There is no component "${component}" to pause or resume: expected ${components.join(', ')}.`
