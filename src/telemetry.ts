import diagnostics from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'

/**
 * Everything that happens, one line each: the event, what it carries, and the level it is logged at.
 * Logs, metrics and tests listen here. No event carries an order's content.
 */
export interface Events {
  started: { roles: readonly string[] }
  stopped: { roles: readonly string[] }
  ready: { url: string }
  /** `redelivered`: those that SQS had handed out before. */
  received: { messages: number; redelivered: number }
  enqueued: { messages: number; durationMs: number }
  durable: { messages: number }
  deleted: { messages: number }
  renewed: { messages: number }
  load: { waiting: number; memoryPercent: number }
  heldBack: { waiting: number; memoryPercent: number; until: string }
  flowing: { waiting: number; memoryPercent: number }
  leased: { stage: string; partitions: readonly number[] }
  claimed: { stage: string; entries: number }
  read: { stage: string; entries: number; durationMs: number }
  planned: { stage: string; entries: number; orders: number }
  committed: {
    stage: string
    entries: number
    passed: number
    duplicates: number
    rejected: number
    durationMs: number
  }
  /** Each list: ms and number of orders in turn. `waits`: since they came to this hop; by the clocks of Redis and SQS. */
  hop: { hop: string; atMs: number; waits: readonly number[]; sinceSent: readonly number[] }
  stale: { stage: string; planned: number; held: number }
  /** Before each write of a repartition. */
  moving: { phase: string }
  vanished: { stage: string; entryIds: readonly string[] }
  /** Once per amount: orders that were deleted from a stage's stream before it had committed them. */
  ordersLost: { stage: string; orders: number; note: string }
  decideFailed: { stage: string; entryId: string; error: string }
  trimmed: { stage: string; entries: number }
  consumersRemoved: { stage: string; consumers: readonly string[] }
  jobDone: { job: string; queue: string }
  jobFailed: { job: string; queue: string; attempt: number; error: string }
  replayed: { job: string; orders: number }
  checkWarned: { check: string; found: string; advice: string }
  unguarded: { note: string }
  paused: { part: string; by: string }
  resumed: { part: string }
  steeringFailed: { error: string }
  auditFailed: { action: string; error: string }
  denied: { route: string; status: number; address: string }
  request: { method: string; route: string; status: number; durationMs: number }
  requestFailed: { method: string; route: string; error: string }
  redisAway: { error: string }
  redisBack: Record<string, never>
  bridgeFailed: { part: string; error: string }
  bridgeBack: { part: string }
  loopFailed: { loop: string; error: string }
  loopRecovered: { loop: string; failures: number }
}

const levels: { readonly [E in keyof Events]: 'trace' | 'debug' | 'info' | 'warn' | 'error' } = {
  started: 'info',
  stopped: 'info',
  ready: 'info',
  received: 'debug',
  enqueued: 'debug',
  durable: 'debug',
  deleted: 'debug',
  renewed: 'debug',
  load: 'debug',
  heldBack: 'warn',
  flowing: 'info',
  leased: 'debug',
  claimed: 'info',
  read: 'debug',
  planned: 'debug',
  committed: 'debug',
  hop: 'trace',
  stale: 'info',
  moving: 'trace',
  vanished: 'error',
  ordersLost: 'error',
  decideFailed: 'error',
  trimmed: 'debug',
  consumersRemoved: 'info',
  jobDone: 'info',
  jobFailed: 'warn',
  replayed: 'info',
  checkWarned: 'warn',
  unguarded: 'info',
  paused: 'info',
  resumed: 'info',
  steeringFailed: 'warn',
  auditFailed: 'warn',
  denied: 'warn',
  request: 'debug',
  requestFailed: 'error',
  redisAway: 'warn',
  redisBack: 'info',
  bridgeFailed: 'warn',
  bridgeBack: 'info',
  loopFailed: 'warn',
  loopRecovered: 'info',
}

type Listener = <E extends keyof Events>(event: E, fields: Events[E]) => void

export interface Telemetry {
  emit: Listener
  /** Listens to one event. */
  on<E extends keyof Events>(event: E, listener: (fields: Events[E]) => void): void
  /** Listens to every event. */
  listen(listener: Listener): void
}

const every = Symbol('every event')

/** Every event of this process, as `{ event, fields }`, for observers from outside the code. */
const channel = diagnostics.channel('order-pipeline:event')

export function openTelemetry(log: Logger): Telemetry {
  const emitter = new EventEmitter().setMaxListeners(0) // there is one for every metric
  return {
    emit: (event, fields) => {
      const level = levels[event]
      if (log.isLevelEnabled(level)) log[level](fields as object, event as string)
      emitter.emit(event, fields)
      emitter.emit(every, event, fields)
      if (channel.hasSubscribers) channel.publish({ event, fields })
    },
    on: (event, listener) => {
      emitter.on(event, listener)
    },
    listen: (listener) => {
      emitter.on(every, listener)
    },
  }
}
