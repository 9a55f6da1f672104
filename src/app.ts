import type { Config } from './config/config.ts'
import type { ControlKeys, Keys } from './keys.ts'
import type { OrderFormat } from './order/format.ts'
import type { RedisClient } from './redis/client.ts'
import type { Pipeline } from './stages/placed.ts'
import type { Telemetry } from './telemetry.ts'
import type { Tracing } from './tracing/tracing.ts'

/** Holds what the components of a process share. The code that opens it closes it; components only use it. */
export interface App {
  readonly config: Config
  /** By the configuration. */
  readonly format: OrderFormat
  readonly redis: RedisClient
  readonly pipeline: Pipeline
  /** By number; one without partitions. */
  readonly partitions: readonly Keys[]
  readonly control: ControlKeys
  readonly telemetry: Telemetry
  /** Undefined unless a collector of traces is configured. */
  readonly tracing?: Tracing | undefined
  /** The span of the request or job that is carried out, if it is sampled: what it sends continues its trace. */
  readonly trace?: string | undefined
  /** Names this process among its peers: the stem of its consumers' names. */
  readonly instance: string
  /** Aborts when the process is asked to stop; undefined in a command. */
  readonly stopping?: AbortSignal | undefined
  /** True for `orders start`: requests from this machine may write without a token. */
  readonly trustsThisMachine?: boolean
  readonly now: () => Date
  readonly pulse: Pulse
}

/** An app at one of its partitions. */
export interface PartitionScope extends App {
  readonly keys: Keys
}

/** Confirms that everything written so far is durable in every partition. See ingest/proof/durable.ts. */
export interface Durable extends Disposable {
  /** @throws OrdersError ORD_NOT_DURABLE if Redis was restarted or failed over since this was opened */
  confirm(): Promise<void>
}

/** A long-running loop. It calls `tick` after each iteration, and resolves when the signal has aborted and it has ended. */
export interface Loop {
  readonly name: string
  run(tick: Tick, signal: AbortSignal): Promise<void>
}

/** Called by a loop after each iteration. */
export type Tick = () => void

/** When each loop of this process last made progress, by performance.now(): the wall clock may be set. */
export type Pulse = Map<string, number>
