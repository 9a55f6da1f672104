import type { ErrorCode } from '../errors.ts'

type Tally = Readonly<Record<string, number>>

/** Why a span is not sent. */
export const spanReasons = ['collector', 'full', 'limit'] as const
type SpanReason = (typeof spanReasons)[number]

/** Times of a traced order, which are among those of its hop. */
export interface TracedWait {
  /** Of its span (see src/tracing/context.ts). */
  readonly context: string
  readonly waitMs: number
  /** Undefined if it is unknown, or the order was rejected. */
  readonly sinceSentMs: number | undefined
}

/**
 * Every event and its fields. Logs, metrics and tests listen to them. No event carries an order's content.
 */
export interface Events {
  started: { roles: readonly string[] }
  /** The last line of a process that a signal stopped. */
  stopped: { roles: readonly string[]; exitCode: number }
  /** The last line of any other. `address` and `since` are those of a Redis that is away, `loop` is one that is stuck. */
  ended: {
    code: ErrorCode | undefined
    error: string
    address?: string
    since?: string
    loop?: string
    exitCode: number
  }
  ready: { url: string }
  /** `redelivered`: those that SQS had delivered before. */
  received: { messages: number; redelivered: number }
  /** One write: the entries that hold the orders, and the messages of SQS that these came in. */
  enqueued: {
    messages: number
    orders: number
    partition: number | undefined
    entryIds: readonly string[]
    messageIds: readonly string[]
    durationMs: number
  }
  /** Once per write and kind. */
  unwrapped: { envelope: string; orders: number }
  durable: { messages: number }
  deleted: { messages: number }
  renewed: { messages: number }
  backlogMeasured: { waiting: number; memoryPercent: number }
  /** Orders of this process in a minute. `taken` came from SQS; `passed` is by stage, `rejected` by code. */
  load: { taken: number; passed: Tally; duplicates: number; rejected: Tally; waiting: number | null }
  rejections: { code: string; orders: number; invalidId: string; traceId?: string }
  /** `messageId`: in SQS, of what the first stage rejects. */
  rejected: {
    stage: string
    partition: number | undefined
    code: string
    orders: number
    messageId: string | undefined
    entryId: string
    invalidId: string
    /** If a producer traces the order. */
    traceId?: string | undefined
  }
  backpressureOn: { waiting: number; memoryPercent: number; until: string }
  backpressureOff: { waiting: number; memoryPercent: number }
  partitionsAssigned: { stage: string; partitions: readonly number[] }
  claimed: { stage: string; entries: number }
  read: { stage: string; entries: number; durationMs: number }
  planned: { stage: string; entries: number; orders: number }
  committed: {
    stage: string
    partition: number | undefined
    entries: number
    firstEntryId: string | undefined
    lastEntryId: string | undefined
    passed: number
    duplicates: number
    rejected: number
    durationMs: number
  }
  /**
   * Lists of alternating ms and number of orders, by the clocks of Redis and SQS. `waits`: since they came to this hop. Where the
   * clocks differ, a time may be negative. `traced`: of the orders whose producers trace them, one of each entry.
   */
  hop: {
    hop: string
    atMs: number
    waits: readonly number[]
    sinceSent: readonly number[]
    rejected?: number
    traced?: readonly TracedWait[]
  }
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
  decideFailed: { stage: string; entryId: string; error: string; traceId?: string }
  trimmed: { stage: string; entries: number }
  observerLeft: { stage: string }
  segmentCut: { partition: number | undefined; name: string; orders: number; bytes: number; durationMs: number }
  archiveAway: { partition: number | undefined; error: string }
  /** Segments of the archive that were taken out because of ARCHIVE_DAYS, and objects that were deleted. */
  archiveSwept: { expired: number; removed: number; orphans: number }
  archiveBack: { partition: number | undefined; seconds: number }
  consumersRemoved: { stage: string; consumers: readonly string[] }
  jobDone: { job: string; queue: string; traceId?: string }
  jobFailed: { job: string; queue: string; attempt: number; error: string; traceId?: string }
  /** Up to 100 orders at a time. */
  requeued: { job: string; orders: number }
  /** Orders with RETRY_CODES that were due after so many rejections. */
  retried: { code: string; attempts: number; orders: number }
  /** Orders that were rejected again after their last retry, in one commit; `invalidId` is that of one of them. */
  retriesEnded: { partition: number | undefined; code: string; orders: number; invalidId: string }
  /** Orders that were older than INVALID_DAYS and DISCARDED_DAYS. */
  expired: { partition: number | undefined; invalid: number; discarded: number }
  /** The verdicts on the orders of a job, `rejected` by code. */
  replayed: {
    job: string
    dryRun: boolean
    cancelled: boolean
    sent: number
    admitted: number
    /** Corrections, if there were any. */
    corrected?: number | undefined
    duplicate: number
    conflict: number
    returned: number
    rejected: Tally
  }
  /** The same of a redrive. */
  redriven: Events['replayed']
  checkWarned: { check: string; found: string; advice: string }
  adminOpenOnLoopback: { note: string }
  paused: { component: string; by: string }
  resumed: { component: string }
  pausesUnreadable: { error: string }
  /** An action began or ended: each entry of the audit log is a log line, too. */
  audited: { action: string; by: string; what: string; outcome: string; requestId?: string }
  auditFailed: { action: string; error: string; requestId?: string }
  /** `route` is as the routes are declared, so without ids. */
  denied: { method: string; route: string; status: number; durationMs: number; requestId: string; address: string }
  /** `error`: why a reply is a 5xx. */
  request: {
    method: string
    route: string
    status: number
    durationMs: number
    requestId: string
    error: string | undefined
  }
  requestFailed: { method: string; route: string; status: number; durationMs: number; requestId: string; error: string }
  readingFailed: { reading: string; error: string }
  readingBack: { reading: string }
  /** Once, when a start begins to wait for Redis or SQS, at most `maxMs`; `url` answers meanwhile. */
  waiting: { error: string; maxMs: number; url?: string }
  /** Of all connections of this process together. `address` has no user and no password. */
  redisAway: { address: string; error: string }
  redisStillAway: { address: string; seconds: number }
  redisBack: { address: string; seconds: number }
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
  bridgeFailed: { component: string; error: string; traceId?: string }
  bridgeBack: { component: string }
  /** A metric or another observer failed. Reported once per event. */
  listenerFailed: { listensTo: string; error: string }
  loopFailed: { loop: string; error: string; traceId?: string }
  loopRecovered: { loop: string; failures: number }
  /** `limit`: beyond the spans of messages in a second; `full`: too many wait; `collector`: it did not take them. */
  spansDropped: { reason: SpanReason; spans: number }
  /** The collector of traces does not take spans. */
  collectorAway: { error: string }
  /** `spans` are missing from this outage. */
  collectorBack: { spans: number }
  /** Log lines are written again; `lines` before this one are missing. */
  logBack: { lines: number }
}
