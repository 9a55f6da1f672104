import diagnostics from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import { messageOf } from './errors.ts'

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
  /** Entries that a consumer group handed out though the stage had committed them: they were not committed again. */
  committedAgainRefused: { stage: string; entries: number }
  /** A consumer group had skipped entries that its stage has not committed: it was set back to them. */
  groupSetBack: { stage: string }
  /** Before each write of a repartition. */
  moving: { phase: string }
  /** Before each write of an adoption. */
  adopting: Record<never, never>
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
  /** Begun, and how it ended: each entry of the audit is a log line, too. */
  audited: { action: string; by: string; what: string; outcome: string }
  auditFailed: { action: string; error: string }
  denied: { route: string; status: number; address: string }
  request: { method: string; route: string; status: number; durationMs: number }
  requestFailed: { method: string; route: string; error: string }
  readingFailed: { reading: string; error: string }
  readingBack: { reading: string }
  /** Once, when a start begins to wait for Redis or SQS, for so long at most; `url` answers meanwhile. */
  waiting: { error: string; mostMs: number; url?: string }
  redisAway: { error: string }
  redisBack: Record<string, never>
  /** What SQS says of the queue and its dead letters cannot be read. */
  queueUnread: { error: string }
  queueRead: Record<string, never>
  /** Something happened to Redis' data from outside (see incidents.ts). */
  incident: { kind: string; text: string }
  looked: { partitions: number }
  incidentsFailed: { error: string }
  /** The counters that only grow, once a minute: kept in the log, outside Redis. */
  counts: Readonly<Record<string, number>>
  manifestRestored: { settings: string; advice: string }
  evicting: { policy: string; advice: string }
  evictionOff: Record<string, never>
  bridgeFailed: { part: string; error: string }
  bridgeBack: { part: string }
  /** Metrics and other observers: what they do wrong is theirs. Said once per event. */
  listenerFailed: { listensTo: string; error: string }
  loopFailed: { loop: string; error: string }
  loopRecovered: { loop: string; failures: number }
  /** Log lines are written again; so many before this one are missing. */
  logBack: { lines: number }
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
  committedAgainRefused: 'warn',
  groupSetBack: 'warn',
  moving: 'trace',
  adopting: 'trace',
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
  audited: 'info',
  auditFailed: 'warn',
  denied: 'warn',
  request: 'debug',
  requestFailed: 'error',
  readingFailed: 'warn',
  readingBack: 'info',
  waiting: 'warn',
  redisAway: 'warn',
  redisBack: 'info',
  queueUnread: 'warn',
  queueRead: 'info',
  incident: 'error',
  looked: 'debug',
  incidentsFailed: 'warn',
  counts: 'info',
  manifestRestored: 'warn',
  evicting: 'error',
  evictionOff: 'info',
  bridgeFailed: 'warn',
  bridgeBack: 'info',
  listenerFailed: 'error',
  loopFailed: 'warn',
  loopRecovered: 'info',
  logBack: 'warn',
}

type Listener = <E extends keyof Events>(event: E, fields: Events[E]) => void

export interface Telemetry {
  emit: Listener
  /** Listens to one event. */
  on<E extends keyof Events>(event: E, listener: (fields: Events[E]) => void): void
  /** Listens to every event. */
  listen(listener: Listener): void
  /** How many log lines could not be written so far. No event says so: its line could not be written, either. */
  droppedLines(): number
}

const every = Symbol('every event')

/** Every event of this process, as `{ event, fields }`, for observers from outside the code. */
const channel = diagnostics.channel('order-pipeline:event')

export function openTelemetry(log: Logger, droppedLines = () => 0): Telemetry {
  const emitter = new EventEmitter().setMaxListeners(0) // there is one for every metric
  const failed = new Set<string>()
  const emit: Listener = (event, fields) => {
    const level = levels[event]
    if (log.isLevelEnabled(level)) log[level](fields as object, event as string)
    emitter.emit(event, fields)
    emitter.emit(every, event, fields)
    if (channel.hasSubscribers) channel.publish({ event, fields })
  }
  /** An observer that fails must not break the work that it observes. */
  const safely = (event: keyof Events, hear: () => void): void => {
    try {
      hear()
    } catch (error) {
      if (failed.has(event)) return
      failed.add(event)
      emit('listenerFailed', { listensTo: event, error: messageOf(error) })
    }
  }
  return {
    emit,
    on: (event, listener) => {
      emitter.on(event, (fields) => safely(event, () => listener(fields)))
    },
    listen: (listener) => {
      emitter.on(every, (event, fields) => safely(event, () => listener(event, fields)))
    },
    droppedLines,
  }
}
