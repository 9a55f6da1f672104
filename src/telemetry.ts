import diagnostics from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import { messageOf } from './errors.ts'

type Tally = Readonly<Record<string, number>>

/**
 * Every event and its fields. Logs, metrics and tests listen to them. No event carries an order's content.
 */
export interface Events {
  started: { roles: readonly string[] }
  stopped: { roles: readonly string[] }
  ready: { url: string }
  /** `redelivered`: those that SQS had delivered before. */
  received: { messages: number; redelivered: number }
  enqueued: { messages: number; durationMs: number }
  durable: { messages: number }
  deleted: { messages: number }
  renewed: { messages: number }
  backlogMeasured: { waiting: number; memoryPercent: number }
  /** Orders of this process in a minute. `taken` came from SQS; `passed` is by stage, `rejected` by code. */
  load: { taken: number; passed: Tally; duplicates: number; rejected: Tally; waiting: number | null }
  rejections: { code: string; orders: number; invalidId: string }
  rejected: { stage: string; code: string; orders: number; messageId?: string; invalidId: string; entryId: string }
  backpressureOn: { waiting: number; memoryPercent: number; until: string }
  backpressureOff: { waiting: number; memoryPercent: number }
  partitionsAssigned: { stage: string; partitions: readonly number[] }
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
  /** Lists of alternating ms and number of orders, by the clocks of Redis and SQS. `waits`: since they came to this hop. */
  hop: { hop: string; atMs: number; waits: readonly number[]; sinceSent: readonly number[]; rejected?: number }
  stale: { stage: string; planned: number; held: number }
  /** Entries that a group delivered although the stage had committed them: they were not committed again. */
  recommitRefused: { stage: string; entries: number }
  /** A consumer group skipped entries that its stage has not committed: it was set back to them. */
  groupRewound: { stage: string }
  /** Before each write of a repartition. */
  repartitionStep: { phase: string }
  /** Before each write of an adoption. */
  adoptionStep: Record<never, never>
  entriesLost: { stage: string; entryIds: readonly string[] }
  /** Once per amount: orders that were deleted from a stage's stream before it had committed them. */
  ordersLost: { stage: string; orders: number; note: string }
  decideFailed: { stage: string; entryId: string; error: string }
  trimmed: { stage: string; entries: number }
  consumersRemoved: { stage: string; consumers: readonly string[] }
  jobDone: { job: string; queue: string }
  jobFailed: { job: string; queue: string; attempt: number; error: string }
  replayed: { job: string; orders: number }
  checkWarned: { check: string; found: string; advice: string }
  adminOpenOnLoopback: { note: string }
  paused: { component: string; by: string }
  resumed: { component: string }
  pausesUnreadable: { error: string }
  /** An action began or ended: each entry of the audit log is a log line, too. */
  audited: { action: string; by: string; what: string; outcome: string }
  auditFailed: { action: string; error: string }
  denied: { route: string; status: number; address: string }
  request: { method: string; route: string; status: number; durationMs: number }
  requestFailed: { method: string; route: string; error: string }
  readingFailed: { reading: string; error: string }
  readingBack: { reading: string }
  /** Once, when a start begins to wait for Redis or SQS, at most `maxMs`; `url` answers meanwhile. */
  waiting: { error: string; maxMs: number; url?: string }
  redisAway: { error: string }
  redisBack: Record<string, never>
  /** The attributes of the queue or its dead letters cannot be read. */
  queueUnreadable: { error: string }
  queueReadable: Record<string, never>
  /** Something happened to Redis' data from outside (see incidents.ts). */
  incident: { kind: string; text: string }
  dataChecked: { partitions: number }
  incidentsFailed: { error: string }
  /** The counters that only grow, once a minute, so that the log keeps them outside Redis. */
  counts: Readonly<Record<string, number>>
  manifestRestored: { settings: string; advice: string }
  evicting: { policy: string; advice: string }
  evictionOff: Record<string, never>
  bridgeFailed: { component: string; error: string }
  bridgeBack: { component: string }
  /** A metric or another observer failed. Reported once per event. */
  listenerFailed: { listensTo: string; error: string }
  loopFailed: { loop: string; error: string }
  loopRecovered: { loop: string; failures: number }
  /** Log lines are written again; `lines` before this one are missing. */
  logBack: { lines: number }
}

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error'

/** Log level and meaning of every event, for the log and for docs/reference/events.md. */
export const eventTable: { readonly [E in keyof Events]: readonly [level: Level, about: string] } = {
  started: ['info', 'Roles of this process have started.'],
  stopped: ['info', 'Roles of this process have stopped.'],
  ready: ['info', 'The API, or the port of METRICS_PORT, answers at this URL.'],
  received: ['debug', 'A receive from SQS returned messages.'],
  enqueued: ['debug', 'A write to `orders:raw` was acknowledged by Redis.'],
  durable: ['debug', 'Redis has made written messages as safe as SQS_DELETE_AFTER asks.'],
  deleted: ['debug', 'Messages were deleted from SQS.'],
  renewed: ['debug', 'The visibility timeout of messages was extended.'],
  backlogMeasured: ['debug', 'The bridge measured how much waits in Redis.'],
  load: ['info', 'The orders that this process handled in the last minute.'],
  rejections: ['info', 'The orders that one code rejected in this process in the last minute, with an example.'],
  rejected: ['debug', 'A stage rejected a record.'],
  backpressureOn: ['warn', 'The bridge stopped receiving because too much waits in Redis.'],
  backpressureOff: ['info', 'The bridge receives again.'],
  partitionsAssigned: ['debug', 'This process got another set of partitions.'],
  claimed: ['info', 'Entries delivered CLAIM_IDLE_MS ago or earlier, and still pending, were claimed.'],
  read: ['debug', 'A stage read entries.'],
  planned: ['debug', 'A stage planned a commit.'],
  committed: ['debug', 'A stage committed a batch.'],
  hop: ['trace', 'Orders passed a hop; for the histograms of waiting times.'],
  stale: [
    'info',
    'A commit was refused because some of its entries were no longer pending. The others are planned again.',
  ],
  recommitRefused: ['warn', 'A group delivered committed entries again. They were acknowledged, not committed twice.'],
  groupRewound: ['warn', 'A group had skipped entries. It was set back to them.'],
  repartitionStep: ['trace', 'A repartition is about to write.'],
  adoptionStep: ['trace', 'An adoption is about to write.'],
  entriesLost: ['error', 'Entries were deleted from a stream before their stage had committed them.'],
  ordersLost: ['error', 'Orders were deleted from a stream before their stage had committed them.'],
  decideFailed: ['error', 'The code of a stage failed on a record, which was rejected with `internal-error`.'],
  trimmed: ['debug', 'Entries were removed from a stream after every stage that reads it had committed them.'],
  consumersRemoved: ['info', 'Dead consumers were removed from a group.'],
  jobDone: ['info', 'A job is done.'],
  jobFailed: ['warn', 'An attempt of a job failed.'],
  replayed: ['info', 'A job requeued invalid orders.'],
  checkWarned: ['warn', 'A check at the start found something that should be changed.'],
  adminOpenOnLoopback: ['info', 'ADMIN_TOKEN is not set; the note says who can write.'],
  paused: ['info', 'A component of this process is paused.'],
  resumed: ['info', 'A component of this process runs again.'],
  pausesUnreadable: ['warn', 'The pauses cannot be read. The last known ones stay in force.'],
  audited: ['info', 'An admin action began or ended.'],
  auditFailed: ['warn', 'The outcome of an admin action could not be written to the audit log.'],
  denied: ['warn', 'A request was refused for its token, its host or its origin.'],
  request: ['debug', 'A request was answered.'],
  requestFailed: ['error', 'A request failed with an unexpected error.'],
  readingFailed: ['warn', 'The API cannot read a part of the pipeline.'],
  readingBack: ['info', 'The API can read that part again.'],
  waiting: ['warn', 'A start waits for Redis or SQS.'],
  redisAway: ['warn', 'The connection to Redis is lost.'],
  redisBack: ['info', 'The connection to Redis is back.'],
  queueUnreadable: ['warn', 'The attributes of the queue cannot be read.'],
  queueReadable: ['info', 'The attributes of the queue can be read again.'],
  incident: ['error', "Something changed Redis' data from outside."],
  dataChecked: ['debug', 'The data of some partitions was checked for incidents.'],
  incidentsFailed: ['warn', 'The check for incidents failed.'],
  counts: ['info', 'The counters of the books, one field each, once a minute.'],
  manifestRestored: ['warn', 'Settings that were missing in Redis were written again.'],
  evicting: ['error', 'Redis may evict keys when its memory is full.'],
  evictionOff: ['info', 'Redis no longer evicts keys.'],
  bridgeFailed: ['warn', 'A component of the bridge fails.'],
  bridgeBack: ['info', 'A component of the bridge works again.'],
  listenerFailed: ['error', 'A metric or another observer failed. Reported once per event.'],
  loopFailed: ['warn', 'A loop failed and is restarted.'],
  loopRecovered: ['info', 'A loop runs again after failures.'],
  logBack: ['warn', 'Log lines are written again; `lines` are missing.'],
}

type Listener = <E extends keyof Events>(event: E, fields: Events[E]) => void

export interface Telemetry {
  emit: Listener
  /** Listens to one event. */
  on<E extends keyof Events>(event: E, listener: (fields: Events[E]) => void): void
  /** Listens to every event. */
  listen(listener: Listener): void
  /** Returns the number of log lines that could not be written so far. There is no event for it: its line would be lost, too. */
  droppedLines(): number
}

const every = Symbol('every event')

/** Publishes every event of this process as `{ event, fields }`, for observers from outside the code. */
const channel = diagnostics.channel('order-pipeline:event')

/** @param log receives the events; without it they are only emitted */
export function openTelemetry(log?: Logger, droppedLines = () => 0): Telemetry {
  const emitter = new EventEmitter().setMaxListeners(0) // there is one for every metric
  const failed = new Set<string>()
  const emit: Listener = (event, fields) => {
    const [level] = eventTable[event]
    if (log?.isLevelEnabled(level)) log[level](fields as object, event as string)
    emitter.emit(event, fields)
    emitter.emit(every, event, fields)
    if (channel.hasSubscribers) channel.publish({ event, fields })
  }
  /** Runs a listener. One that fails must not break the work that it observes. */
  const safely = (event: keyof Events, call: () => void): void => {
    try {
      call()
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
