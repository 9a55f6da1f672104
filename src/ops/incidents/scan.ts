import { randomUUID } from 'node:crypto'
import { uptime } from 'node:os'
import { z } from 'zod'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import type { Keys } from '../../keys.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import { outflowOf, pipeline } from '../../stages/pipeline.ts'
import { timeMs } from '../../time.ts'

const script = loadScript(import.meta.url)

/** The counters of a partition that only grow. */
export const growing = [
  'received',
  ...pipeline.flatMap((stage) => (stage.from === 'raw' ? outflowOf(stage) : [stage.counts])),
]
export type Counts = Readonly<Record<string, number>>

/** A moment by the clocks that nobody can set, in ms: the first stands still while the machine sleeps, the second does not. */
export interface Instant {
  readonly monotonicMs: number
  readonly uptimeMs: number
}

/** When Redis told its time: after it was asked, before it answered. */
export interface Clock {
  readonly asked: Instant
  readonly answered: Instant
  readonly redisMs: number
}

/** What a process saw of a partition. */
export interface Look {
  readonly clock: Clock
  /** By the wall clock of this process. */
  readonly at: Date
  /** Undefined while the partition is being moved. */
  readonly data: Data | undefined
}

export interface Data {
  /** Empty where Redis takes no writes and had none. */
  readonly incarnation: string
  readonly counts: Counts
}

const time = z.tuple([z.string(), z.string()])
const replies = z.union([z.tuple([time]), z.tuple([time, z.string(), z.array(z.string().nullable())])])

export async function look({ redis, now }: Pick<App, 'redis' | 'now'>, keys: Keys): Promise<Look> {
  const asked = instant()
  const args = [keys.layout, randomUUID(), ...growing]
  const reply = await runScript(redis, script, [keys.counters, keys.layoutKey, keys.incarnation], args)
  const answered = instant()
  const parsed = replies.safeParse(reply)
  if (!parsed.success) throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to look.lua in an unknown shape.')
  const [redisTime, incarnation, values] = parsed.data
  const clock = { asked, answered, redisMs: timeMs(redisTime) }
  if (incarnation === undefined || values === undefined) return { clock, at: now(), data: undefined }
  const counts = Object.fromEntries(growing.map((name, at) => [name, whole(values[at])]))
  return { clock, at: now(), data: { incarnation, counts } }
}

/** What is no whole number is somebody else's: the books say so. */
function whole(text: string | null | undefined): number {
  const value = Number(text ?? 0)
  return Number.isSafeInteger(value) ? value : 0
}

const instant = (): Instant => ({ monotonicMs: performance.now(), uptimeMs: uptime() * 1_000 })
