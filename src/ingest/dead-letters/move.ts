import type { Message } from '@aws-sdk/client-sqs'
import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import { partitionOf } from '../../order/partition.ts'
import { openDeletions } from '../deletions.ts'
import { type Durability, openDurability } from '../durability.ts'
import { type Objects, openObjects } from '../envelope/objects.ts'
import { openingOf, openMessage, type Received } from '../envelope/received.ts'
import type { Write } from '../lane.ts'
import { inPieces } from '../pieces.ts'
import { writeMessages } from '../write-messages.ts'
import { giveBack } from './look.ts'
import type { DeadLetters } from './open.ts'
import { receive } from './receive.ts'

/** Moves messages of the dead-letter queue to `orders:raw`, for a job. */
export interface Mover extends AsyncDisposable {
  /**
   * Receives up to `count` messages and writes those that the job may send. The others are given back.
   * @throws when Redis does not take them, or the signal aborts: then all are given back
   */
  move(count: number, signal: AbortSignal): Promise<{ received: number; written: number }>
  /** Resolves when the messages that were written are deleted. */
  settled(signal: AbortSignal): Promise<void>
}

/** The messages of one partition, and whether the job could send them. */
interface Written {
  readonly write: Write
  readonly isWritten: boolean
  readonly messages: ReadonlySet<Message>
}

/** The job that moves, and how many of its orders a partition may have. */
export interface MovingJob {
  readonly jobId: string
  mayHave(keys: Keys): Promise<number>
}

/** Returns a function that opens messages and writes them to their partitions. */
function openWriting(app: App, durability: Durability, objects: Objects, job: MovingJob & { queueName: string }) {
  const opening = openingOf(app, objects)
  const { jobId, mayHave, queueName } = job

  async function write(keys: Keys, own: readonly Received[]): Promise<Written> {
    const incarnation = durability.incarnation(keys)
    const messages = new Set(own.map(({ message }) => message))
    let limit = await mayHave(keys)
    for (const piece of inPieces(own)) {
      const isWritten = await writeMessages(app, keys, piece, { jobId, limit, queueName })
      if (!isWritten) return { write: { keys, incarnation }, isWritten, messages }
      limit = Number.MAX_SAFE_INTEGER // orders of one message are sent together
    }
    return { write: { keys, incarnation }, isWritten: true, messages }
  }

  return async (messages: readonly Message[], signal: AbortSignal): Promise<Written[]> => {
    const received = await Promise.all(messages.map((message) => openMessage(message, opening, () => {}, signal)))
    const byPartition = Map.groupBy(received.flat(), (one) => partitionOf(app, one.record.body))
    return Promise.all([...byPartition].map(([keys, own]) => write(keys, own)))
  }
}

/**
 * Opens a mover. It takes the bridge's steps: a message is hidden while its object is read, deleted once its write is
 * durable, and delivered again if the process dies before.
 */
export async function openMover(app: App, queue: DeadLetters, job: MovingJob): Promise<Mover> {
  await using stack = new AsyncDisposableStack()
  const durability = stack.use(await openDurability(app))
  const writeAll = openWriting(app, durability, stack.use(openObjects(app)), { ...job, queueName: queue.name })
  let moving = 0
  const deletions = openDeletions(app, queue, durability, () => moving)
  const end = new AbortController()
  const deleting = deletions.run(() => {}, end.signal)
  stack.defer(async () => {
    end.abort()
    await deleting.catch(() => {})
  })

  async function moveAll(messages: readonly Message[], signal: AbortSignal): Promise<number> {
    const tens = inTens(messages).map((some) => ({ some, held: deletions.hold(some) }))
    try {
      const all = await writeAll(messages, signal)
      const refused = new Set(all.filter(({ isWritten }) => !isWritten).flatMap((one) => [...one.messages]))
      const sent = new Set(messages.filter((message) => !refused.has(message)))
      const writes = all.filter(({ isWritten }) => isWritten).map(({ write }) => write)
      for (const { some, held } of tens) {
        held.entries = held.entries.filter((_, at) => sent.has(some[at] as Message))
        if (held.entries.length > 0) deletions.written(held, writes)
        else deletions.release(held)
      }
      await giveBack(queue, [...refused])
      return sent.size
    } catch (error) {
      for (const { held } of tens) deletions.release(held)
      await giveBack(queue, messages)
      throw error
    }
  }

  const opened = stack.move()
  return {
    move: async (count, signal) => {
      await deletions.room(() => {}, signal)
      const receiving = { hiddenSeconds: app.config.sqsVisibilityTimeoutSeconds, traced: app.tracing !== undefined }
      const messages = await receive(queue, count, receiving, signal)
      if (messages.length === 0) return { received: 0, written: 0 }
      app.telemetry.emit('received', { messages: messages.length, redelivered: 0 })
      moving++
      try {
        return { received: messages.length, written: await moveAll(messages, signal) }
      } finally {
        moving--
      }
    },
    settled: (signal) => deletions.emptied(signal),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** SQS deletes and hides at most ten messages in one call. */
const maxInCall = 10

function inTens(messages: readonly Message[]): Message[][] {
  const count = Math.ceil(messages.length / maxInCall)
  return Array.from({ length: count }, (_, at) => messages.slice(at * maxInCall, (at + 1) * maxInCall))
}
