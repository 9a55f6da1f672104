import type { Message } from '@aws-sdk/client-sqs'
import type { App } from '../app.ts'
import { queueAddress } from '../config/queue-address.ts'
import type { Keys } from '../keys.ts'
import { type RawRecord, withTrace } from '../messages.ts'
import type { Telemetry } from '../telemetry.ts'
import { type BatchTrace, traceBatch } from '../tracing/batch.ts'
import { sentContext } from '../tracing/context.ts'
import { tracedLines } from '../tracing/tracing.ts'
import { enqueue, type Sender } from './enqueue.ts'
import type { Received } from './envelope/received.ts'

/** A job that moves messages from another queue than that of the bridge. */
export interface Moving extends Sender {
  readonly queueName: string
}

/**
 * Writes orders to `orders:raw` of a partition, and reports how long their messages waited since they were sent.
 * @param moving the job that sends them, if any
 * @returns false where the job may not send them
 */
export async function writeMessages(
  app: App,
  keys: Keys,
  received: readonly Received[],
  moving?: Moving,
): Promise<boolean> {
  const byId = new Map(received.map(({ message, messageId }) => [messageId, message]))
  const messages = [...byId.values()]
  const sentMs = firstSent(messages)
  const trace = traceReceived(app, received, messages.length, moving)
  const telemetry = tracedLines(app.telemetry, trace)
  const records = received.map((one) => (trace ? tracedRecord(app, one, trace) : one.record))
  const from = performance.now()
  try {
    const entryIds = await enqueue(app.redis, keys, records, { sentMs, traceparent: trace?.context, sender: moving })
    trace?.end()
    if (entryIds.length === 0) return false
    const ids = { partition: keys.partition, entryIds, messageIds: [...byId.keys()] }
    const counts = { messages: messages.length, orders: records.length }
    telemetry.emit('enqueued', { ...counts, ...ids, durationMs: performance.now() - from })
    reportEnvelopes(telemetry, records)
    if (sentMs === undefined) return true
    const atMs = Number.parseInt(entryIds[0] ?? '', 10)
    const waitMs = atMs - sentMs
    const waits = [waitMs, records.length]
    const [context] = records.flatMap(({ traceparents = [] }) => traceparents)
    const traced = context !== undefined && { traced: [{ context, waitMs, sinceSentMs: waitMs }] }
    telemetry.emit('hop', { hop: 'bridge', atMs, waits, sinceSent: waits, ...traced })
    return true
  } catch (error) {
    trace?.fail(error)
    throw error
  }
}

/** The attributes in which a producer names the span that sent a message: AWS's own, and those of W3C. */
export const tracedIn = { system: 'AWSTraceHeader', own: ['traceparent', 'tracestate'] } as const

/** The batch of a job is below the job. */
function traceReceived(
  { tracing, config, trace }: App,
  received: readonly Received[],
  count: number,
  { queueName: destination }: Pick<Moving, 'queueName'> = { queueName: queueAddress(config).name },
): BatchTrace | undefined {
  if (!tracing) return undefined
  return traceBatch(tracing, { system: 'aws_sqs', destination }, [trace, ...received.map(tracedBy)], count)
}

/** Orders of one message continue its one span. A message that brings no trace is in that of the job, if any. */
function tracedRecord(app: App, one: Received, trace: BatchTrace): RawRecord {
  const source = tracedBy(one) ?? app.trace
  const [context] = trace.continued(one.message, [source], { 'messaging.message.id': one.messageId })
  return withTrace(one.record, context)
}

function tracedBy({ message: { MessageAttributes, Attributes }, trace }: Received): string | undefined {
  const [parent, state] = tracedIn.own.map((name) => MessageAttributes?.[name]?.StringValue)
  return sentContext(parent, state) ?? trace ?? Attributes?.[tracedIn.system]
}

/** Counts each layer: an order in an SNS notification in an EventBridge event is in both. */
function reportEnvelopes(telemetry: Telemetry, records: readonly RawRecord[]): void {
  const kinds = records.flatMap(({ envelope }) => envelope?.layers.map(({ kind }) => kind) ?? [])
  for (const [envelope, { length: orders }] of Map.groupBy(kinds, (kind) => kind)) {
    telemetry.emit('unwrapped', { envelope, orders })
  }
}

function firstSent(messages: readonly Message[]): number | undefined {
  const sent = messages.map(({ Attributes }) => Number(Attributes?.SentTimestamp))
  return sent.every(Number.isSafeInteger) ? Math.min(...sent) : undefined
}
