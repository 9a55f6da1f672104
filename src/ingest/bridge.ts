import { randomUUID } from 'node:crypto'
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
 * message is deleted only after the write; if the process dies in between, it comes again and the ledger knows it.
 * While Redis takes no writes a poller holds what it has and receives nothing more: a message that is received and put
 * back again and again would end in the dead-letter queue.
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
      handleMessageBatch: (messages) => takeIn(app, messages, { outage, tick, signal }),
    })
    const worked = (): void => {
      outage.over()
      tick()
    }
    consumer.on('empty', worked)
    // Not `response_processed`, which comes after a failed delete too.
    consumer.on('message_processed', () => {
      app.telemetry.emit('deleted', { messages: 1 })
      worked()
    })
    consumer.on('error', (error) => signal.aborted || outage.failed(error))
    consumer.start()
    if (!signal.aborted) await once(signal, 'abort')
    await stop(consumer, receiving)
  }
}

interface Poller {
  readonly outage: Outage
  readonly tick: Tick
  readonly signal: AbortSignal
}

/** Writes until it is written. On a stop it throws, and the messages wait out their visibility timeout. */
async function takeIn(app: App, messages: Message[], { outage, tick, signal }: Poller): Promise<Message[]> {
  const { redis, keys, telemetry } = app
  telemetry.emit('received', { messages: messages.length })
  const records = messages.map(({ MessageId = randomUUID(), Body = '' }) => ({ id: MessageId, body: Body }))
  for (;;) {
    try {
      await enqueue(redis, keys, records)
      telemetry.emit('enqueued', { messages: messages.length })
      return messages
    } catch (error) {
      if (signal.aborted) throw error
      outage.failed(error)
      tick() // it goes round: Redis answers, and will have room again
      await sleep(retryDelayMs, undefined, { signal })
    }
  }
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

interface Outage {
  failed(error: unknown): void
  over(): void
  pause(signal: AbortSignal): Promise<void>
}

/** One line when SQS or the write fails, one when it works again, and a pause between tries. */
function reportOutage({ telemetry }: App): Outage {
  let failing = false
  return {
    failed: (error) => {
      if (!failing) telemetry.emit('bridgeFailed', { error: messageOf(error) })
      failing = true
    },
    over: () => {
      if (failing) telemetry.emit('bridgeBack', {})
      failing = false
    },
    pause: async (signal) => {
      if (failing) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
