import type { Message } from '@aws-sdk/client-sqs'
import type { App } from '../app.ts'
import type { Keys } from '../keys.ts'
import type { RawRecord } from '../messages.ts'
import type { Telemetry } from '../telemetry.ts'
import { enqueue, type Sender } from './enqueue.ts'
import type { Received } from './envelope/received.ts'

/**
 * Writes orders to `orders:raw` of a partition, and reports how long their messages waited since they were sent.
 * @param sender the job that sends them, if any
 * @returns false where the job may not send them
 */
export async function writeMessages(
  app: App,
  keys: Keys,
  received: readonly Received[],
  sender?: Sender,
): Promise<boolean> {
  const { redis, telemetry, tracing } = app
  const byId = new Map(received.map(({ message, messageId }) => [messageId, message]))
  const messages = [...byId.values()]
  const records = received.map(({ record }) => record)
  const sentMs = firstSent(messages)
  const span = tracing?.span('bridge', received.map(tracedBy), { 'messaging.batch.message_count': messages.length })
  const from = performance.now()
  try {
    const entryIds = await enqueue(redis, keys, records, { sentMs, traceparent: span?.traceparent, sender })
    span?.end()
    if (entryIds.length === 0) return false
    const ids = { partition: keys.partition, entryIds, messageIds: [...byId.keys()] }
    const counts = { messages: messages.length, orders: records.length }
    telemetry.emit('enqueued', { ...counts, ...ids, durationMs: performance.now() - from })
    reportEnvelopes(telemetry, records)
    if (sentMs === undefined) return true
    const atMs = Number.parseInt(entryIds[0] ?? '', 10)
    const waits = [Math.max(0, atMs - sentMs), records.length]
    telemetry.emit('hop', { hop: 'bridge', atMs, waits, sinceSent: waits })
    return true
  } catch (error) {
    span?.fail(error)
    throw error
  }
}

/** The attributes in which a producer names the span that sent a message: AWS's own, and that of W3C. */
export const tracedIn = { system: 'AWSTraceHeader', own: 'traceparent' } as const

/** Counts each layer: an order in an SNS notification in an EventBridge event is in both. */
function reportEnvelopes(telemetry: Telemetry, records: readonly RawRecord[]): void {
  const kinds = records.flatMap(({ envelope }) => envelope?.layers.map(({ kind }) => kind) ?? [])
  for (const [envelope, { length: orders }] of Map.groupBy(kinds, (kind) => kind)) {
    telemetry.emit('unwrapped', { envelope, orders })
  }
}

function tracedBy({ message: { MessageAttributes, Attributes }, traceparent }: Received): string | undefined {
  return MessageAttributes?.[tracedIn.own]?.StringValue ?? traceparent ?? Attributes?.[tracedIn.system]
}

function firstSent(messages: readonly Message[]): number | undefined {
  const sent = messages.map(({ Attributes }) => Number(Attributes?.SentTimestamp))
  return sent.every(Number.isSafeInteger) ? Math.min(...sent) : undefined
}
