import type { Config } from './config.ts'
import type { ControlKeys, Keys } from './keys.ts'
import type { Tracing } from './opentelemetry.ts'
import type { RedisClient } from './redis/client.ts'
import type { Telemetry } from './telemetry.ts'

/** What the parts of a process share. Whoever opens it closes it; the parts only use it. */
export interface App {
  readonly config: Config
  readonly redis: RedisClient
  /** By number; one without partitions. */
  readonly partitions: readonly Keys[]
  readonly control: ControlKeys
  readonly telemetry: Telemetry
  /** Undefined where nobody collects traces. */
  readonly tracing?: Tracing | undefined
  /** Names this process among its peers: the stem of its consumers' names. */
  readonly instance: string
  /** Aborts when the process is asked to stop; undefined in a command. */
  readonly stopping?: AbortSignal | undefined
  /** Requests of this machine may write without a token: `orders start`, for a look around on one's own machine. */
  readonly trustsThisMachine?: boolean
  readonly now: () => Date
  readonly pulse: Pulse
}

/** The same for what works on one partition. */
export interface Partition extends App {
  readonly keys: Keys
}

/** Called by a loop each time it has gone round. */
export type Tick = () => void

/** When each loop of this process last went round, by performance.now(): the wall clock may be set. */
export type Pulse = Map<string, number>
