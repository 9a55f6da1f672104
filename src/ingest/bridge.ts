import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message, SQSClient } from '@aws-sdk/client-sqs'
import { Consumer } from 'sqs-consumer'
import type { App, Tick } from '../app.ts'
import { type Deletions, type Held, openDeletions } from './deletions.ts'
import { type Durability, openDurability } from './durable.ts'
import { enqueue } from './enqueue.ts'
import { type Outage, reportOutage, retryDelayMs } from './outage.ts'
import { openGate } from './pressure.ts'
import type { Queue } from './queue.ts'
import { openReceiver, type Receiver } from './receive.ts'

/**
 * Moves messages from SQS to `orders:raw`, one record batch per receive. Any body is taken: validate judges it. A
 * message is deleted only when its write is durable; if the process dies before, it comes again and the ledger knows it.
 */
export interface Bridge extends Disposable {
  /** What one poller does until the signal aborts; run BRIDGE_POLLERS of it, each has one receive in flight. */
  poll(tick: Tick, signal: AbortSignal): Promise<void>
  /** The deletion queue; run one of it. */
  delete(tick: Tick, signal: AbortSignal): Promise<void>
}

/** @param readWaiting orders that wait in Redis for any stage: above HIGH_WATER_ORDERS nothing more is received */
export async function openBridge(app: App, queue: Queue, readWaiting: () => Promise<number>): Promise<Bridge> {
  const durability = await openDurability(app)
  let polling = 0
  const deletions = openDeletions(app, queue, durability, () => polling)
  const parts = {
    durability,
    deletions,
    gate: openGate(app, readWaiting),
    receiving: reportOutage(app, 'receive'),
    writing: reportOutage(app, 'write'),
  }
  return {
    poll: async (tick, signal) => {
      polling++
      try {
        await poll(app, queue, { ...parts, tick, signal })
      } finally {
        polling--
      }
    },
    delete: deletions.run,
    [Symbol.dispose]: () => durability[Symbol.dispose](),
  }
}

interface Poller {
  readonly durability: Durability
  readonly deletions: Deletions
  readonly gate: ReturnType<typeof openGate>
  readonly receiving: Outage
  readonly writing: Outage
  readonly tick: Tick
  readonly signal: AbortSignal
}

async function poll(app: App, queue: Queue, poller: Poller): Promise<void> {
  const { deletions, gate, receiving, tick, signal } = poller
  const inHand = new WeakMap<Message[], Held>()
  const take = (messages: Message[]): Promise<void> => takeIn(app, messages, inHand.get(messages) as Held, poller)
  const receiver = openReceiver(queue, app.config, {
    ready: async () => {
      await receiving.pause(signal) // a poll that failed would otherwise be tried again at once
      await deletions.room(tick, signal)
      await gate.pass(tick, signal)
    },
    received: (messages) => {
      inHand.set(messages, deletions.hold(messages))
      receiving.over()
      app.telemetry.emit('received', { messages: messages.length })
    },
  })
  const consumer = Consumer.create({
    queueUrl: queue.url,
    sqs: receiver.sqs as SQSClient,
    batchSize: 10,
    waitTimeSeconds: app.config.sqsWaitTimeSeconds,
    visibilityTimeout: app.config.sqsVisibilityTimeoutSeconds,
    authenticationErrorTimeout: retryDelayMs,
    pollingCompleteWaitTimeMs: app.config.stopGraceMs + 1,
    strictReturn: true,
    shouldDeleteMessages: false, // the deletion queue does
    handleMessageBatch: async (messages) => {
      await take(messages)
      tick()
      return []
    },
  })
  consumer.on('empty', () => {
    receiving.over()
    tick()
  })
  consumer.on('error', (error) => {
    if (signal.aborted) return
    receiving.failed(error)
    tick() // it goes round: SQS is asked again and again, and the other roles of this process are well
  })
  consumer.start()
  if (!signal.aborted) await once(signal, 'abort')
  await stop(consumer, receiver)
  const rest = (await receiver.rest()).filter(({ length }) => length > 0)
  await Promise.all(rest.map(take))
}

/**
 * Writes until it is written. While Redis takes no writes a poller holds what it has and receives nothing more: a
 * message that is received and put back again and again would end in the dead-letter queue. On a stop it throws, and the
 * messages wait out their visibility timeout.
 */
async function takeIn(app: App, messages: Message[], held: Held, poller: Poller): Promise<void> {
  const { redis, keys, telemetry } = app
  const { deletions, durability, writing, tick, signal } = poller
  const records = messages.map(({ MessageId = randomUUID(), Body = '' }) => ({ id: MessageId, body: Body }))
  for (;;) {
    const history = durability.history()
    try {
      await enqueue(redis, keys, records)
      writing.over()
      telemetry.emit('enqueued', { messages: messages.length })
      return deletions.written(held, history)
    } catch (error) {
      if (!signal.aborted) {
        writing.failed(error)
        tick() // it goes round: Redis answers, and will have room again
        await sleep(retryDelayMs, undefined, { signal }).catch(() => {})
      }
      if (signal.aborted) {
        deletions.letGo(held)
        throw error
      }
    }
  }
}

/** Under load a poll answers at once and its messages are still worked off; a poll of an empty queue is cut after this. */
const lastPollMs = 300

/** Lets work in hand end, and cuts only a poll that waits for messages. */
async function stop(consumer: Consumer, receiver: Receiver): Promise<void> {
  const stopped = once(consumer, 'stopped')
  setTimeout(() => receiver.cut(), lastPollMs).unref()
  consumer.stop()
  await stopped
}
