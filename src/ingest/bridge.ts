import { once } from 'node:events'
import type { Message } from '@aws-sdk/client-sqs'
import { Consumer } from 'sqs-consumer'
import type { App, Tick } from '../app.ts'
import { openGate } from './backpressure.ts'
import { type Deletions, type Held, openDeletions } from './deletions.ts'
import { openDurability } from './durability.ts'
import { openHaste } from './empty-receives.ts'
import { type Outage, reportOutage, retryDelayMs } from './failure-log.ts'
import { openReceiver, type Receiver } from './receive.ts'
import type { Queue } from './sqs/queue.ts'
import { openWriter, tracedIn, type Writer } from './writer.ts'

/**
 * Moves messages from SQS to `orders:raw`, in record batches. Any body is taken: validate judges it. While Redis takes no
 * writes a poller holds what it has, this batch and what is ahead, and receives nothing more: a message that is received
 * and put back again and again would end in the dead-letter queue. A message is deleted only when its write is durable; if
 * the process dies before, it comes again and the ledger knows it.
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
    deletions,
    writer: openWriter(app, durability),
    gate: openGate(app, readWaiting),
    receiving: reportOutage(app, 'receive'),
    waiting: reportOutage(app, 'wait'),
  }
  return {
    poll: async (tick, signal) => {
      polling++
      const poller = { ...parts, tick, signal }
      try {
        await poll(app, queue, poller)
      } finally {
        for (const outage of [parts.receiving, parts.waiting]) outage.left(poller)
        polling--
      }
    },
    delete: deletions.run,
    [Symbol.dispose]: () => durability[Symbol.dispose](),
  }
}

interface Poller {
  readonly deletions: Deletions
  readonly writer: Writer
  readonly gate: ReturnType<typeof openGate>
  readonly receiving: Outage
  readonly waiting: Outage
  readonly tick: Tick
  readonly signal: AbortSignal
}

async function poll(app: App, queue: Queue, poller: Poller): Promise<void> {
  const { deletions, writer, gate, receiving, waiting, tick, signal } = poller
  const haste = openHaste(waiting, poller, app.config.sqsWaitTimeSeconds)
  const heldWith = new WeakMap<Message, Held>() // by the first message of a receive
  const take = async (messages: readonly Message[]): Promise<void> => {
    const held = messages.flatMap((message) => heldWith.get(message) ?? [])
    try {
      const writes = await writer.write(messages, tick, signal)
      for (const batch of held) deletions.written(batch, writes)
    } catch (error) {
      for (const batch of held) deletions.letGo(batch) // a stop: they wait out their visibility timeout
      throw error
    }
  }
  const receiver = openReceiver(queue, app.config, {
    ready: async () => {
      await receiving.pause(poller, signal) // a poll that failed would otherwise be tried again at once
      await haste.pause(signal)
      await deletions.room(tick, signal)
      await writer.ready(tick, signal)
      await gate.pass(tick, signal)
    },
    received: (messages) => {
      heldWith.set(messages[0] as Message, deletions.hold(messages))
      receiving.worked(poller)
      const redelivered = messages.filter(({ Attributes }) => Number(Attributes?.ApproximateReceiveCount) > 1).length
      app.telemetry.emit('received', { messages: messages.length, redelivered })
    },
    answered: haste.answered,
  })
  const consumer = Consumer.create({
    queueUrl: queue.url,
    sqs: receiver.sqs,
    batchSize: 10,
    waitTimeSeconds: app.config.sqsWaitTimeSeconds,
    visibilityTimeout: app.config.sqsVisibilityTimeoutSeconds,
    messageSystemAttributeNames: [
      'SentTimestamp',
      'ApproximateReceiveCount',
      ...(app.tracing ? [tracedIn.system] : []),
    ],
    ...(app.tracing && { messageAttributeNames: [tracedIn.own] }),
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
    receiving.worked(poller)
    tick()
  })
  consumer.on('error', (error) => {
    if (signal.aborted) return
    receiving.failed(error, poller)
    tick() // it goes round: SQS is asked again and again, and the other roles of this process are well
  })
  consumer.start()
  if (!signal.aborted) await once(signal, 'abort')
  await stop(consumer, receiver)
  const rest = (await receiver.rest()).filter(({ length }) => length > 0)
  await Promise.all(rest.map(take))
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
