import { layerKinds } from '../../messages.ts'
import { rejectCodes } from '../../reject-codes.ts'
import { leaderboard } from '../../stages/leaderboard.ts'
import { spanLabels } from './exemplar.ts'
import type { EventMetric, LabelValues, Series } from './metric.ts'

const orders = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]
/** A commit takes some milliseconds; beyond seconds Redis is in trouble. */
const calls = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
/** From an empty pipeline, in which an order waits half a millisecond for a stage, to a backlog of hours. */
const waits = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  ...[60, 90, 120, 180, 300, 600, 900, 1_800, 3_600, 21_600],
]
/** Times are whole milliseconds: rounding alone puts a wait below zero by less. */
const skewMs = 1

const stage: { readonly stage: LabelValues } = { stage: ({ names }) => names }

/** Metrics of the stages and the bridge of this process since its start. */
export const flowMetrics: readonly EventMetric[] = [
  {
    name: 'orders_processed_total',
    type: 'counter',
    help: 'Orders that a stage has processed, by outcome.',
    labels: { ...stage, outcome: ['passed', 'duplicate', 'rejected'] },
    by: 'stages',
    on: {
      committed: ({ stage, passed, duplicates, rejected }, series) => {
        series(stage, 'passed')(passed)
        series(stage, 'duplicate')(duplicates)
        series(stage, 'rejected')(rejected)
      },
    },
  },
  {
    name: 'orders_commit_orders',
    type: 'histogram',
    help: 'Orders in a commit.',
    labels: stage,
    buckets: orders,
    by: 'stages',
    on: {
      committed: ({ stage, passed, duplicates, rejected }, series) => series(stage)(passed + duplicates + rejected),
    },
  },
  {
    name: 'orders_commit_entries',
    type: 'histogram',
    help: 'Stream entries in a commit.',
    labels: stage,
    buckets: orders,
    by: 'stages',
    on: { committed: ({ stage, entries }, series) => series(stage)(entries) },
  },
  {
    name: 'orders_commit_duration_seconds',
    type: 'histogram',
    help: 'Duration of a commit, including the round trip to Redis.',
    labels: stage,
    buckets: calls,
    by: 'stages',
    on: { committed: ({ stage, durationMs }, series) => series(stage)(durationMs / 1_000) },
  },
  {
    name: 'orders_hop_wait_seconds',
    type: 'histogram',
    help: 'Time that orders waited for a hop: for the bridge since they were sent to SQS, for a stage since they were written to its stream. By the clocks of SQS and Redis.',
    labels: { hop: ({ components }) => components },
    buckets: waits,
    by: 'all',
    on: {
      hop: ({ hop, waits, traced }, series) => {
        observeAll(waits, series(hop))
        for (const { waitMs, context } of traced ?? []) showSpan(waitMs, context, series(hop))
      },
    },
  },
  {
    name: 'orders_critical_time_seconds',
    type: 'histogram',
    help: 'Time from when an order was sent to SQS until it was ranked. All orders of one receive count as the oldest of them.',
    buckets: waits,
    by: 'stages',
    on: {
      hop: ({ hop, sinceSent, traced }, series) => {
        if (hop !== leaderboard.name) return
        observeAll(sinceSent, series())
        for (const { sinceSentMs, context } of traced ?? []) showSpan(sinceSentMs, context, series())
      },
    },
  },
  {
    name: 'orders_clock_skewed_total',
    type: 'counter',
    help: 'Orders that, by the clocks, came to a hop before they were sent; their wait counts as 0. The clocks of SQS and Redis differ, or that of Redis was set back.',
    labels: { hop: ({ components }) => components },
    by: 'all',
    on: { hop: ({ hop, waits }, series) => series(hop)(skewed(waits)) },
  },
  ofStage(
    'orders_claimed_entries_total',
    'Entries claimed because they were still pending CLAIM_IDLE_MS after their last delivery.',
    {
      claimed: ({ stage, entries }, series) => series(stage)(entries),
    },
  ),
  ofStage(
    'orders_stale_commits_total',
    'Commits refused because some of their entries were no longer pending: another consumer had committed them.',
    {
      stale: ({ stage }, series) => series(stage)(1),
    },
  ),
  ofStage('orders_lost_entries_total', 'Pending entries that another client deleted from their stream.', {
    entriesLost: ({ stage, entryIds }, series) => series(stage)(entryIds.length),
  }),
  ofStage(
    'orders_decide_failures_total',
    'Records rejected as internal-error because the code of a stage failed on them.',
    {
      decideFailed: ({ stage }, series) => series(stage)(1),
    },
  ),
  {
    name: 'orders_retried_total',
    type: 'counter',
    help: 'Invalid orders that were retried by themselves, as RETRY_CODES asks, by the code that they were rejected with.',
    labels: { code: rejectCodes },
    by: 'jobs',
    on: { retried: ({ code, orders }, series) => series(code)(orders) },
  },
  {
    name: 'orders_retries_ended_total',
    type: 'counter',
    help: 'Invalid orders that were given up: rejected again after the last of RETRY_DELAYS.',
    labels: { code: rejectCodes },
    by: 'stages',
    on: { retriesEnded: ({ code, orders }, series) => series(code)(orders) },
  },
  ofBridge('orders_sqs_received_messages_total', 'Messages received from SQS.', {
    received: ({ messages }, series) => series()(messages),
  }),
  ofBridge('orders_sqs_redelivered_messages_total', 'Messages received that SQS had handed out before.', {
    received: ({ redelivered }, series) => series()(redelivered),
  }),
  {
    name: 'orders_unwrapped_total',
    type: 'counter',
    help: 'Orders that the bridge took out of envelopes, and out of bodies of `many`.',
    labels: { envelope: layerKinds },
    by: 'bridge',
    on: { unwrapped: ({ envelope, orders }, series) => series(envelope)(orders) },
  },
  ofBridge('orders_sqs_deleted_messages_total', 'Messages deleted from SQS after their write was safe.', {
    deleted: ({ messages }, series) => series()(messages),
  }),
  ofBridge(
    'orders_sqs_renewed_messages_total',
    'Messages whose visibility timeout was extended while their write was not safe yet.',
    {
      renewed: ({ messages }, series) => series()(messages),
    },
  ),
  {
    name: 'orders_enqueue_duration_seconds',
    type: 'histogram',
    help: 'Duration of writing the messages of one receive to Redis.',
    buckets: calls,
    by: 'bridge',
    on: { enqueued: ({ durationMs }, series) => series()(durationMs / 1_000) },
  },
  {
    name: 'orders_backpressure',
    type: 'gauge',
    help: '1 while the bridge pauses receiving because too many orders wait in Redis or its memory is full.',
    by: 'bridge',
    on: { backpressureOn: (_, series) => series()(1), backpressureOff: (_, series) => series()(0) },
  },
  {
    name: 'orders_bridge_failing',
    type: 'gauge',
    help: '1 while a component of the bridge fails and is retried, until it has worked for three seconds; `wait`: SQS replies empty at once instead of waiting.',
    labels: { component: ['receive', 'wait', 'write', 'confirm', 'delete', 'renew'] },
    by: 'bridge',
    on: {
      bridgeFailed: ({ component }, series) => series(component)(1),
      bridgeBack: ({ component }, series) => series(component)(0),
    },
  },
]

type Wiring = EventMetric['on']

function ofStage(name: string, help: string, on: Wiring): EventMetric {
  return { name, type: 'counter', help, labels: stage, by: 'stages', on }
}

function ofBridge(name: string, help: string, on: Wiring): EventMetric {
  return { name, type: 'counter', help, by: 'bridge', on }
}

/** @param times alternating ms and number of orders */
function observeAll(times: readonly number[], observe: ReturnType<Series>): void {
  for (let at = 0; at + 1 < times.length; at += 2) observe(waitSeconds(times[at] ?? 0), times[at + 1])
}

const waitSeconds = (ms: number): number => Math.max(0, ms) / 1_000

/** Makes a span the exemplar of a time that is counted already. */
function showSpan(ms: number | undefined, context: string, observe: ReturnType<Series>): void {
  const span = spanLabels(context)
  if (span && ms !== undefined) observe(waitSeconds(ms), 0, span)
}

/** @param times alternating ms and number of orders */
function skewed(times: readonly number[]): number {
  return times.reduce((orders, ms, at) => (at % 2 === 0 && ms < -skewMs ? orders + (times[at + 1] ?? 0) : orders), 0)
}
