import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message } from '@aws-sdk/client-sqs'
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
 * Moves messages from SQS to `orders:raw`, a record batch per receive or some of them. Any body is taken: validate judges it. A
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
  const heldWith = new WeakMap<Message, Held>() // by the first message of a receive
  const take = (messages: readonly Message[]): Promise<void> => {
    const held = messages.flatMap((message) => heldWith.get(message) ?? [])
    return takeIn(app, messages, held, poller)
  }
  const receiver = openReceiver(queue, app.config, {
    ready: async () => {
      await receiving.pause(signal) // a poll that failed would otherwise be tried again at once
      await deletions.room(tick, signal)
      await gate.pass(tick, signal)
    },
    received: (messages) => {
      heldWith.set(messages[0] as Message, deletions.hold(messages))
      receiving.over()
      const redelivered = messages.filter(({ Attributes }) => Number(Attributes?.ApproximateReceiveCount) > 1).length
      app.telemetry.emit('received', { messages: messages.length, redelivered })
    },
  })
  const consumer = Consumer.create({
    queueUrl: queue.url,
    sqs: receiver.sqs,
    batchSize: 10,
    waitTimeSeconds: app.config.sqsWaitTimeSeconds,
    visibilityTimeout: app.config.sqsVisibilityTimeoutSeconds,
    messageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount', ...(app.tracing ? xRay : [])],
    ...(app.tracing && { messageAttributeNames: [w3c] }),
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
 * Writes until it is written. While Redis takes no writes a poller holds what it has, this batch and what is ahead, and
 * receives nothing more: a message that is received and put back again and again would end in the dead-letter queue. On a
 * stop it throws, and the messages wait out their visibility timeout.
 */
async function takeIn(app: App, messages: readonly Message[], held: readonly Held[], poller: Poller): Promise<void> {
  const { redis, keys, telemetry } = app
  const { deletions, durability, writing, tick, signal } = poller
  const records = messages.map(({ MessageId = randomUUID(), Body = '' }) => ({ id: MessageId, body: Body }))
  const sentMs = firstSent(messages)
  const span = app.tracing?.span('bridge', messages.map(tracedBy), { 'messaging.batch.message_count': messages.length })
  for (;;) {
    const history = durability.history()
    const from = performance.now()
    try {
      const [id = ''] = await enqueue(redis, keys, records, { sentMs, traceparent: span?.traceparent })
      writing.over()
      span?.end()
      telemetry.emit('enqueued', { messages: messages.length, durationMs: performance.now() - from })
      if (sentMs !== undefined) {
        const atMs = Number.parseInt(id, 10)
        const waits = [Math.max(0, atMs - sentMs), messages.length]
        telemetry.emit('hop', { hop: 'bridge', atMs, waits, sinceSent: waits })
      }
      for (const batch of held) deletions.written(batch, history)
      return
    } catch (error) {
      if (!signal.aborted) {
        writing.failed(error)
        tick() // it goes round: Redis answers, and will have room again
        await sleep(retryDelayMs, undefined, { signal }).catch(() => {})
      }
      if (signal.aborted) {
        for (const batch of held) deletions.letGo(batch)
        span?.fail(error)
        throw error
      }
    }
  }
}

/** Where a producer says which span sent a message: AWS in a system attribute, others as W3C has it. */
const xRay = ['AWSTraceHeader'] as const
const w3c = 'traceparent'

function tracedBy({ MessageAttributes, Attributes }: Message): string | undefined {
  return MessageAttributes?.[w3c]?.StringValue ?? Attributes?.AWSTraceHeader
}

function firstSent(messages: readonly Message[]): number | undefined {
  const sent = messages.map(({ Attributes }) => Number(Attributes?.SentTimestamp))
  return sent.every(Number.isSafeInteger) ? Math.min(...sent) : undefined
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
