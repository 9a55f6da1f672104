import type { App } from '../../app.ts'
import { type ClockOffset, redisOffset } from '../../clock-offset.ts'
import { messageOf } from '../../errors.ts'
import { queuePlace } from '../../ingest/sqs/endpoint.ts'
import { inspectQueue, type QueueState } from '../../ingest/sqs/queue.ts'
import { cached, patient } from '../cached.ts'
import type { ReadMetric, Sample } from './metric.ts'

export interface QueueReading {
  readonly state: Found | undefined
  /** The last known number: an alert on dead letters must not end because they cannot be counted. */
  readonly deadLetters: number | undefined
  /** The reason why the queue or its dead-letter queue cannot be read. */
  readonly unread: string | undefined
  /** Of Redis and SQS, as far as they answered. */
  readonly clocks: Clocks
  /** Age of the oldest message that this process has moved recently. */
  readonly oldestMs: number | undefined
}

type Found = Extract<QueueState, { readonly status: 'found' }>
type Clocks = Readonly<Partial<Record<'redis' | 'sqs', ClockOffset | undefined>>>

/** Metrics of the queue, as each bridge sees it: over several bridges take the max, not the sum. */
export const queueMetrics: readonly ReadMetric<QueueReading>[] = [
  ofQueue(
    'orders_sqs_visible_messages',
    'Messages that wait in SQS, by its own estimate.',
    ({ state }) => state?.messages,
  ),
  ofQueue(
    'orders_sqs_in_flight_messages',
    'Messages delivered by SQS and not deleted yet, by its own estimate.',
    (of) => of.state?.inFlight,
  ),
  ofQueue(
    'orders_sqs_dead_letters',
    'Messages in the dead-letter queue, by the estimate of SQS; the last known number while it cannot be read.',
    (of) => of.deadLetters,
  ),
  ofQueue(
    'orders_sqs_reading_failing',
    '1 while this bridge cannot read the attributes of the queue or of its dead-letter queue.',
    (of) => (of.unread === undefined ? 0 : 1),
  ),
  ofQueue(
    'orders_sqs_oldest_age_seconds',
    'Age of the oldest message that this bridge moved in the last one to two minutes; absent if it moved none. Only CloudWatch knows the age of messages still in SQS (ApproximateAgeOfOldestMessage).',
    ({ oldestMs }) => oldestMs && oldestMs / 1_000,
  ),
  {
    name: 'orders_clock_offset_seconds',
    type: 'gauge',
    help: "How far the clock of Redis, or of SQS, is ahead of this bridge's machine; that of SQS to half a second.",
    labels: { of: ['redis', 'sqs'] },
    by: 'bridge',
    read: ({ clocks }) => (['redis', 'sqs'] as const).map((of): Sample => [clocks[of] && clocks[of].ms / 1_000, of]),
  },
]

function ofQueue(
  name: string,
  help: string,
  read: (reading: QueueReading) => number | undefined,
): ReadMetric<QueueReading> {
  return { name, type: 'gauge', help, by: 'bridge', read: (reading) => [[read(reading)]] }
}

/** SQS updates its counts every few seconds, and each call costs money. */
const askEveryMs = 10_000

/** SQS answers within some 20 ms. If it does not by then, the last state is served: some scrapers give up after a second. */
const scrapeMs = 500

/** Opens a reader that asks SQS if this process is a bridge, and else returns undefined. */
export function openQueueReader(
  { config, telemetry, redis, now }: App,
  { everyMs = askEveryMs, patienceMs = scrapeMs } = {},
): () => Promise<QueueReading | undefined> {
  const oldest = recentMax(60_000)
  let bridge = false
  telemetry.on('started', ({ roles }) => {
    bridge = roles.includes('bridge')
  })
  telemetry.on('hop', ({ hop, sinceSent }) => {
    if (hop === 'bridge') oldest.add(Math.max(0, sinceSent[0] ?? 0))
  })
  let known: Omit<QueueReading, 'oldestMs'> = {
    state: undefined,
    deadLetters: undefined,
    unread: undefined,
    clocks: {},
  }
  const inspect = cached(everyMs, async () => {
    const [{ state, unread, sqs }, ofRedis] = await Promise.all([
      readQueue(config),
      redisOffset(redis, now).catch(() => undefined),
    ])
    if (unread !== undefined && known.unread === undefined) telemetry.emit('queueUnreadable', { error: unread })
    if (unread === undefined && known.unread !== undefined) telemetry.emit('queueReadable', {})
    const deadLetters = unread === undefined ? state?.deadLetters : known.deadLetters
    known = { state, unread, deadLetters, clocks: { redis: ofRedis, sqs } }
    return known
  })
  const look = patient(patienceMs, inspect)
  return async () => {
    if (!bridge) return undefined
    await look()
    return { ...known, oldestMs: oldest.read() }
  }
}

async function readQueue(config: App['config']): Promise<Pick<QueueReading, 'state' | 'unread'> & Pick<Clocks, 'sqs'>> {
  try {
    const state = await inspectQueue(config)
    const sqs = state.clock
    if (state.status === 'found') return { state, unread: state.unread, sqs }
    const unread = state.status === 'missing' ? `There is no queue ${queuePlace(config)}` : state.reason
    return { state: undefined, unread, sqs }
  } catch (error) {
    return { state: undefined, unread: messageOf(error) }
  }
}

/** Keeps the greatest value of this span and the one before. */
function recentMax(spanMs: number) {
  const none = { span: Number.NaN, max: undefined as number | undefined }
  let [current, last] = [none, none]
  const roll = (): void => {
    const span = Math.floor(performance.now() / spanMs)
    if (span === current.span) return
    last = current.span === span - 1 ? current : none
    current = { span, max: undefined }
  }
  return {
    add: (value: number): void => {
      roll()
      current.max = Math.max(current.max ?? 0, value)
    },
    read: (): number | undefined => {
      roll()
      const known = [current.max, last.max].filter((max) => max !== undefined)
      return known.length > 0 ? Math.max(...known) : undefined
    },
  }
}
