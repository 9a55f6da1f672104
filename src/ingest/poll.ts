import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message, SQSClient } from '@aws-sdk/client-sqs'
import { Consumer, type ConsumerOptions } from 'sqs-consumer'
import type { App, Tick } from '../app.ts'
import type { Gate } from './backpressure.ts'
import type { Deletions } from './deletions.ts'
import { openEmptyReceives, type Wakeups } from './empty-receives.ts'
import { type Outage, retryDelayMs } from './failure-log.ts'
import type { Queue } from './sqs/queue.ts'
import type { Sqs } from './sqs/types.ts'
import { tracedIn } from './write-messages.ts'
import type { Writer } from './writer.ts'

/** Holds one poller's own tick and signal, and the components that all pollers of the bridge share. */
export interface Poller {
  readonly deletions: Deletions
  readonly writer: Writer
  readonly gate: Gate
  readonly receiving: Outage
  readonly waiting: Outage
  readonly wakeups: Wakeups
  readonly tick: Tick
  readonly signal: AbortSignal
}

/**
 * Runs one sqs-consumer until the signal aborts. Each receive is written to Redis before the next is made; the deletion
 * queue deletes it. A batch received before the abort is written before this returns.
 */
export async function poll(app: App, queue: Queue, poller: Poller): Promise<void> {
  const { receiving, tick, signal } = poller
  const emptyReceives = openEmptyReceives(poller, app.config.sqsWaitTimeSeconds)
  const receive = stopwatch()

  function answered(messages: readonly Message[]): void {
    emptyReceives.answered(messages.length, receive.ms())
    receiving.worked(poller)
    tick()
    if (messages.length === 0) return
    const redelivered = messages.filter(({ Attributes }) => Number(Attributes?.ApproximateReceiveCount) > 1).length
    app.telemetry.emit('received', { messages: messages.length, redelivered })
  }

  const consumer = Consumer.create({
    ...requestOf(app, queue),
    authenticationErrorTimeout: retryDelayMs,
    pollingCompleteWaitTimeMs: app.config.stopGraceMs + 1,
    strictReturn: true,
    suppressFifoWarning: true, // a group has one batch in flight: SQS keeps its order, and deletions its end
    shouldDeleteMessages: false, // the deletion queue does
    preReceiveMessageCallback: async () => {
      await receiving.pause(poller, signal) // a poll that failed would otherwise be tried again at once
      await emptyReceives.pause(signal)
      await roomToReceive(poller)
      receive.start()
    },
    postReceiveMessageCallback: async () => receive.stop(),
    handleMessageBatch: async (messages) => {
      answered(messages)
      await write(messages, poller)
      tick()
      return []
    },
  })
  consumer.on('empty', () => answered([]))
  consumer.on('error', (error) => {
    receive.stop()
    if (signal.aborted) return
    receiving.failed(error, poller)
    tick() // progress: SQS is asked again, and the other roles of this process are well
  })
  consumer.start()
  if (!signal.aborted) await once(signal, 'abort')
  await Promise.race([receive.ended(), sleep(lastReceiveMs, undefined, { ref: false })])
  const stopped = once(consumer, 'stopped')
  consumer.stop({ abort: true })
  await stopped
}

/** Waits until a message that is received now can be written, and deleted afterwards. */
async function roomToReceive({ deletions, writer, gate, tick, signal }: Poller): Promise<void> {
  await deletions.room(tick, signal)
  await writer.ready(tick, signal)
  await gate.pass(tick, signal)
}

async function write(messages: readonly Message[], { deletions, writer, tick, signal }: Poller): Promise<void> {
  const held = deletions.hold(messages)
  try {
    deletions.written(held, await writer.write(messages, tick, signal))
  } catch (error) {
    deletions.release(held) // a stop: SQS delivers them again after their visibility timeout
    throw error
  }
}

/** Under load a receive is answered at once, and its messages are still written. One that waits for messages is aborted. */
const lastReceiveMs = 300

/** Added to the long poll's time. An answer that takes longer will not come: the connection is dead. */
const lateMs = 5_000

/** Builds the options of the receive request. sqs-consumer calls nothing but `send`, so either client fits. */
function requestOf({ config, tracing }: App, { sqs, url }: Queue): ConsumerOptions {
  return {
    queueUrl: url,
    sqs: withDeadline(sqs, config.sqsWaitTimeSeconds * 1_000 + lateMs) as SQSClient,
    batchSize: 10,
    waitTimeSeconds: config.sqsWaitTimeSeconds,
    visibilityTimeout: config.sqsVisibilityTimeoutSeconds,
    messageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount', ...(tracing ? [tracedIn.system] : [])],
    ...(tracing && { messageAttributeNames: [...tracedIn.own] }),
  }
}

/** Aborts a call that takes longer; sqs-consumer sets no limit. */
function withDeadline(sqs: Sqs, ms: number): Pick<Sqs, 'send'> {
  return {
    send: (command, options) => {
      const late = AbortSignal.timeout(ms)
      const abortSignal = options?.abortSignal ? AbortSignal.any([options.abortSignal, late]) : late
      return sqs.send(command, { abortSignal })
    },
  }
}

/** Measures one receive after the other. */
function stopwatch() {
  let [from, to] = [0, 0]
  let end = Promise.withResolvers<void>()
  end.resolve()
  return {
    start: (): void => {
      from = performance.now()
      end = Promise.withResolvers()
    },
    stop: (): void => {
      to = performance.now()
      end.resolve()
    },
    ms: (): number => to - from,
    /** Resolves when no receive is under way. */
    ended: (): Promise<void> => end.promise,
  }
}
