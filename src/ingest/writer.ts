import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../app.ts'
import { identityIn } from '../identity.ts'
import type { Keys } from '../keys.ts'
import { partitionFor } from '../partitions.ts'
import { proveWrite } from './barrier.ts'
import type { Durability, History } from './durability.ts'
import { enqueue } from './enqueue.ts'
import { type Outage, reportOutage, retryDelayMs } from './failure-log.ts'

/** Messages are on `orders:raw` of a partition, and in which history of its Redis. */
export interface Write {
  readonly keys: Keys
  readonly history: History
}

/** Puts messages on `orders:raw` of their users' partitions. */
export interface Writer {
  /**
   * Writes until it is written: while a Redis takes no writes, whoever brings messages for it waits. What pollers bring
   * for a partition while a write to it is under way goes together in the next one.
   * @throws when the signal aborts before all are written
   */
  write(messages: readonly Message[], tick: Tick, signal: AbortSignal): Promise<Write[]>
  /**
   * Resolves when every partition's Redis has taken a write since the last one that failed, or since the start. What is
   * received before would be received again and again, until SQS gives up on it.
   */
  ready(tick: Tick, signal: AbortSignal): Promise<void>
}

export function openWriter(app: App, durability: Durability): Writer {
  const writing = reportOutage(app, 'write')
  const lanes = new Map(app.partitions.map((keys) => [keys, openLane({ app, keys, durability, writing })]))
  return {
    write: (messages, tick, signal) => {
      const parts = Map.groupBy(messages, (message) => partitionOf(app.partitions, message))
      return Promise.all(
        [...parts].map(([keys, own]) => (lanes.get(keys) as Lane).write({ messages: own, tick, signal })),
      )
    },
    ready: async (tick, signal) => {
      await Promise.all([...lanes.values()].map((lane) => lane.ready(tick, signal)))
    },
  }
}

/** A body is looked at only where there is something to choose. */
function partitionOf(partitions: readonly Keys[], { Body = '' }: Message): Keys {
  return partitionFor(partitions, partitions.length === 1 ? undefined : identityIn(Body).userId)
}

interface Load {
  readonly messages: readonly Message[]
  readonly tick: Tick
  readonly signal: AbortSignal
}

interface Lane {
  write(load: Load): Promise<Write>
  ready(tick: Tick, signal: AbortSignal): Promise<void>
}
type Waiting = Load & Omit<PromiseWithResolvers<Write>, 'promise'>

/** Messages in one write: each stage reads whole entries, and commits some hundred records at once. */
const mostMessages = 100

interface LaneOptions {
  readonly app: App
  readonly keys: Keys
  readonly durability: Durability
  /** Shared by the lanes of all partitions. */
  readonly writing: Outage
}

/** One write at a time to one partition. */
function openLane({ app, keys, durability, writing }: LaneOptions): Lane {
  const waiting: Waiting[] = []
  let [running, proved] = [false, false]

  async function run(): Promise<void> {
    running = true
    while (waiting.length > 0) await writeTogether(takeSome(waiting))
    running = false
  }

  /** Those whose signal aborts are left out of the next try. */
  async function writeTogether(loads: readonly Waiting[]): Promise<void> {
    for (let left = loads; left.length > 0; ) {
      const history = durability.history(keys)
      try {
        await write(
          app,
          keys,
          left.flatMap(({ messages }) => messages),
        )
        writing.worked(keys)
        proved = true
        for (const { resolve } of left) resolve({ keys, history })
        return
      } catch (error) {
        const going = left.filter(({ signal }) => !signal.aborted)
        for (const load of left) if (load.signal.aborted) load.reject(error)
        left = going
        if (going.length === 0) return
        proved = false
        writing.failed(error, keys)
        for (const { tick } of going) tick() // it goes round: Redis answers, and will have room again
        await sleep(retryDelayMs, undefined, { signal: AbortSignal.any(going.map(({ signal }) => signal)) }).catch(
          () => {},
        )
      }
    }
  }

  return {
    write: (load) => {
      const { promise, ...settle } = Promise.withResolvers<Write>()
      waiting.push({ ...load, ...settle })
      if (!running) void run()
      return promise
    },
    ready: async (tick, signal) => {
      while (!proved) {
        signal.throwIfAborted()
        try {
          await proveWrite(app.redis, keys, app.instance)
          writing.worked(keys)
          proved = true
        } catch (error) {
          writing.failed(error, keys)
          tick() // it goes round: Redis answers
          await sleep(retryDelayMs, undefined, { signal })
        }
      }
    },
  }
}

function takeSome(waiting: Waiting[]): Waiting[] {
  let messages = 0
  const count = waiting.findIndex((load) => {
    messages += load.messages.length
    return messages > mostMessages
  })
  return waiting.splice(0, count === -1 ? waiting.length : Math.max(1, count))
}

async function write(app: App, keys: Keys, messages: readonly Message[]): Promise<void> {
  const { redis, telemetry, tracing } = app
  const records = messages.map(({ MessageId = randomUUID(), Body = '' }) => ({ id: MessageId, body: Body }))
  const sentMs = firstSent(messages)
  const span = tracing?.span('bridge', messages.map(tracedBy), { 'messaging.batch.message_count': messages.length })
  const from = performance.now()
  try {
    const [id = ''] = await enqueue(redis, keys, records, { sentMs, traceparent: span?.traceparent })
    span?.end()
    telemetry.emit('enqueued', { messages: messages.length, durationMs: performance.now() - from })
    if (sentMs === undefined) return
    const atMs = Number.parseInt(id, 10)
    const waits = [Math.max(0, atMs - sentMs), messages.length]
    telemetry.emit('hop', { hop: 'bridge', atMs, waits, sinceSent: waits })
  } catch (error) {
    span?.fail(error)
    throw error
  }
}

/** Where a producer says which span sent a message: AWS in a system attribute, others as W3C has it. */
export const tracedIn = { system: 'AWSTraceHeader', own: 'traceparent' } as const

function tracedBy({ MessageAttributes, Attributes }: Message): string | undefined {
  return MessageAttributes?.[tracedIn.own]?.StringValue ?? Attributes?.[tracedIn.system]
}

function firstSent(messages: readonly Message[]): number | undefined {
  const sent = messages.map(({ Attributes }) => Number(Attributes?.SentTimestamp))
  return sent.every(Number.isSafeInteger) ? Math.min(...sent) : undefined
}
