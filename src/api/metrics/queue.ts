import type { App } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import { inspectQueue, type QueueState } from '../../ingest/sqs/queue.ts'
import { remember, within } from '../cached.ts'
import type { ReadMetric } from './metric.ts'

export interface QueueReading {
  readonly state: Found | undefined
  /** As last seen: letters do not go by themselves, and an alert on them must not end because they cannot be counted. */
  readonly deadLetters: number | undefined
  /** Why the queue or its dead-letter queue cannot be read. */
  readonly unread: string | undefined
  /** How old the oldest message was that this process has moved of late. */
  readonly oldestMs: number | undefined
}

type Found = Extract<QueueState, { readonly status: 'found' }>

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
    'Messages in the dead-letter queue, by the estimate of SQS; while it cannot be read, as last seen.',
    (of) => of.deadLetters,
  ),
  ofQueue(
    'orders_sqs_reading_failing',
    '1 while this bridge cannot read the attributes of the queue or of its dead-letter queue.',
    (of) => (of.unread === undefined ? 0 : 1),
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

/** A scrape gives up after two seconds: SQS may be mute, and what is known of it is served all the same. */
const patienceMs = 1_500

/** Asks SQS where this process is a bridge. */
export function openQueueReader(
  { config, telemetry }: App,
  everyMs = askEveryMs,
): () => Promise<QueueReading | undefined> {
  const oldest = latestMost(60_000)
  let bridge = false
  telemetry.on('started', ({ roles }) => {
    bridge = roles.includes('bridge')
  })
  telemetry.on('hop', ({ hop, sinceSent }) => {
    if (hop === 'bridge') oldest.add(sinceSent[0] ?? 0)
  })
  let known: Omit<QueueReading, 'oldestMs'> = { state: undefined, deadLetters: undefined, unread: undefined }
  const inspect = remember(everyMs, async () => {
    const { state, unread } = await look(config)
    if (unread !== undefined && known.unread === undefined) telemetry.emit('queueUnread', { error: unread })
    if (unread === undefined && known.unread !== undefined) telemetry.emit('queueRead', {})
    known = { state, unread, deadLetters: unread === undefined ? state?.deadLetters : known.deadLetters }
  })
  return async () => {
    if (!bridge) return undefined
    await within(patienceMs, inspect())
    return { ...known, oldestMs: oldest.read() }
  }
}

async function look(config: App['config']): Promise<Pick<QueueReading, 'state' | 'unread'>> {
  try {
    const state = await inspectQueue(config)
    if (state.status === 'found') return { state, unread: state.unread }
    const unread = state.status === 'missing' ? `There is no queue ${config.sqsQueueName}` : state.reason
    return { state: undefined, unread }
  } catch (error) {
    return { state: undefined, unread: messageOf(error) }
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
