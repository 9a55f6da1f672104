import type { App } from '../../app.ts'
import { inspectQueue, type QueueState } from '../../ingest/queue.ts'
import { remember } from '../remember.ts'
import type { ReadMetric } from './metric.ts'

export interface QueueReading {
  readonly state: Extract<QueueState, { readonly status: 'found' }> | undefined
  /** How old the oldest message was that this process has moved of late. */
  readonly oldestMs: number | undefined
}

/** Of the queue, as each bridge sees it: of several bridges take the max, not the sum. */
export const queueMetrics: readonly ReadMetric<QueueReading>[] = [
  ofQueue(
    'orders_sqs_visible_messages',
    'Messages that wait in SQS, by its own estimate.',
    ({ state }) => state?.messages,
  ),
  ofQueue(
    'orders_sqs_in_flight_messages',
    'Messages handed out by SQS and not deleted yet, by its own estimate.',
    (of) => of.state?.inFlight,
  ),
  ofQueue(
    'orders_sqs_dead_letters',
    'Messages in the dead-letter queue, by the estimate of SQS.',
    (of) => of.state?.deadLetters,
  ),
  ofQueue(
    'orders_sqs_oldest_age_seconds',
    'How old the oldest message was that this bridge moved in the last one to two minutes; absent where it moved none. The age of what still lies in SQS only CloudWatch knows (ApproximateAgeOfOldestMessage).',
    ({ oldestMs }) => oldestMs && oldestMs / 1_000,
  ),
]

function ofQueue(
  name: string,
  help: string,
  read: (reading: QueueReading) => number | undefined,
): ReadMetric<QueueReading> {
  return { name, type: 'gauge', help, by: 'bridge', read: (reading) => [[read(reading)]] }
}

/** SQS counts anew every some seconds, and each question is a call that costs. */
const askEveryMs = 10_000

/** Asks SQS where this process is a bridge. */
export function openQueueReader({ config, telemetry }: App): () => Promise<QueueReading | undefined> {
  const oldest = latestMost(60_000)
  let bridge = false
  telemetry.on('started', ({ roles }) => {
    bridge = roles.includes('bridge')
  })
  telemetry.on('hop', ({ hop, sinceSent }) => {
    if (hop === 'bridge') oldest.add(sinceSent[0] ?? 0)
  })
  const inspect = remember(askEveryMs, () => inspectQueue(config))
  return async () => {
    if (!bridge) return undefined
    const state = await inspect()
    return { state: state?.status === 'found' ? state : undefined, oldestMs: oldest.read() }
  }
}

/** The greatest value of this span and the one before. */
function latestMost(spanMs: number) {
  const none = { span: Number.NaN, most: undefined as number | undefined }
  let [current, last] = [none, none]
  const roll = (): void => {
    const span = Math.floor(performance.now() / spanMs)
    if (span === current.span) return
    last = current.span === span - 1 ? current : none
    current = { span, most: undefined }
  }
  return {
    add: (value: number): void => {
      roll()
      current.most = Math.max(current.most ?? 0, value)
    },
    read: (): number | undefined => {
      roll()
      const known = [current.most, last.most].filter((most) => most !== undefined)
      return known.length > 0 ? Math.max(...known) : undefined
    },
  }
}
