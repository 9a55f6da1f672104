import { randomUUID } from 'node:crypto'
import { uptime } from 'node:os'
import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import { loweredBy } from '../../reads/counters.ts'
import { defineScript } from '../../redis/script.ts'
import { timeMs } from '../../stream-id.ts'

/** The counters of a partition that only grow, by name, without what flips have lowered. */
export type Counts = Readonly<Record<string, number>>

/** A moment in ms by clocks that cannot be set. While the machine sleeps, the first stops and the second runs on. */
export interface Instant {
  readonly monotonicMs: number
  readonly uptimeMs: number
}

/** Redis' time, read between `asked` and `answered`. */
export interface Clock {
  readonly asked: Instant
  readonly answered: Instant
  readonly redisMs: number
}

/** The result of a scan of a partition. */
export interface Scan {
  readonly clock: Clock
  /** By the wall clock of this process. */
  readonly at: Date
  /** Undefined while the partition is being moved. */
  readonly data: Data | undefined
}

export interface Data {
  /** Empty if Redis had none and refuses writes. */
  readonly incarnation: string
  readonly counts: Counts
}

const time = z.tuple([z.string(), z.string()])
const scanCounters = defineScript(
  import.meta.url,
  z.union([z.tuple([time]), z.tuple([time, z.string(), z.array(z.string().nullable())])]),
)

export async function scanPartition(
  { redis, now, pipeline }: Pick<App, 'redis' | 'now' | 'pipeline'>,
  keys: Keys,
): Promise<Scan> {
  const { growing } = pipeline
  const asked = instant()
  const args = [keys.layout, randomUUID(), ...growing, ...growing.map(loweredBy)]
  const names = [keys.counters, keys.layoutKey, keys.incarnation]
  const [redisTime, incarnation, values] = await scanCounters(redis, names, args)
  const answered = instant()
  const clock = { asked, answered, redisMs: timeMs(redisTime) }
  if (incarnation === undefined || values === undefined) return { clock, at: now(), data: undefined }
  const counts = Object.fromEntries(
    growing.map((name, at) => [name, whole(values[at]) + whole(values[at + growing.length])]),
  )
  return { clock, at: now(), data: { incarnation, counts } }
}

/** Parses a counter. Returns 0 for a value of another client that is no whole number: the books report it. */
function whole(text: string | null | undefined): number {
  const value = Number(text ?? 0)
  return Number.isSafeInteger(value) ? value : 0
}

const instant = (): Instant => ({ monotonicMs: performance.now(), uptimeMs: uptime() * 1_000 })
