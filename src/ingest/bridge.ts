import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { Consumer } from 'sqs-consumer'
import type { App, Tick } from '../app.ts'
import { messageOf } from '../errors.ts'
import { enqueue } from './enqueue.ts'
import type { Queue } from './queue.ts'

/**
 * Moves messages from SQS to `orders:raw`, one record batch per receive. Any body is taken: validate judges it. A
 * message is deleted only after the write; if the process dies in between, it comes again and the ledger knows it. A
 * handler that cannot write throws, and its messages wait out their visibility timeout.
 *
 * Returns what one poller does until the signal aborts; run BRIDGE_POLLERS of it (each has one receive in flight).
 */
export function openBridge(app: App, queue: Queue): (tick: Tick, signal: AbortSignal) => Promise<void> {
  const outage = reportOutage(app)
  return async (tick, signal) => {
    const receiving = new AbortController()
    const consumer = Consumer.create({
      queueUrl: queue.url,
      sqs: abortableReceive(queue.sqs, receiving.signal),
      batchSize: 10,
      waitTimeSeconds: app.config.sqsWaitTimeSeconds,
      visibilityTimeout: app.config.sqsVisibilityTimeoutSeconds,
      authenticationErrorTimeout: retryDelayMs,
      pollingCompleteWaitTimeMs: app.config.stopGraceMs + 1,
      strictReturn: true,
      // A poll that failed would otherwise be tried again at once.
      preReceiveMessageCallback: () => outage.pause(receiving.signal),
      handleMessageBatch: (messages) => takeIn(app, messages),
    })
    const polled = (): void => {
      outage.over()
      tick()
    }
    consumer.on('empty', polled)
    consumer.on('response_processed', polled)
    consumer.on('message_processed', () => app.telemetry.emit('deleted', { messages: 1 }))
    consumer.on('error', (error) => signal.aborted || outage.failed(error))
    consumer.start()
    if (!signal.aborted) await once(signal, 'abort')
    await stop(consumer, receiving)
  }
}

async function takeIn({ redis, keys, telemetry }: App, messages: Message[]): Promise<Message[]> {
  telemetry.emit('received', { messages: messages.length })
  const records = messages.map(({ MessageId = '', Body = '' }) => ({ id: MessageId, body: Body }))
  const entryId = await enqueue(redis, keys, records)
  telemetry.emit('enqueued', { messages: messages.length, entryId })
  return messages
}

/** Under load a poll answers at once and its messages are still worked off; a poll of an empty queue is cut after this. */
const lastPollMs = 300

/** Lets work in hand end, its deletes too, and cuts only a poll that waits for messages. */
async function stop(consumer: Consumer, receiving: AbortController): Promise<void> {
  const stopped = once(consumer, 'stopped')
  consumer.stop()
  const cut = setTimeout(() => receiving.abort(), lastPollMs)
  await stopped
  clearTimeout(cut)
}

/** sqs-consumer's own abort would cut deletes too, and then their messages come again. */
function abortableReceive(sqs: SQSClient, abortSignal: AbortSignal): SQSClient {
  const send: SQSClient['send'] = (command: never, options?: object) =>
    sqs.send(command, (command as unknown) instanceof ReceiveMessageCommand ? { ...options, abortSignal } : options)
  return Object.assign(Object.create(sqs), { send })
}

/** SQS is asked again after a second: soon enough to go on, rarely enough not to flood. */
const retryDelayMs = 1_000

/** One line when SQS (or the write) fails, one when it works again, and a pause between tries. */
function reportOutage({ telemetry }: App) {
  let failing = false
  return {
    failed: (error: unknown): void => {
      if (!failing) telemetry.emit('sqsFailed', { error: messageOf(error) })
      failing = true
    },
    over: (): void => {
      if (failing) telemetry.emit('sqsBack', {})
      failing = false
    },
    pause: async (signal: AbortSignal): Promise<void> => {
      if (failing) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
