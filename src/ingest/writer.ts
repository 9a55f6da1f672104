import type { Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../app.ts'
import { partitionOf } from '../order/partition.ts'
import type { Gate } from './backpressure.ts'
import type { Durability } from './durability.ts'
import type { Objects } from './envelope/objects.ts'
import { openingOf, openMessage } from './envelope/received.ts'
import { reportOutage } from './failure-log.ts'
import { type Lane, type Load, openLane, type Write } from './lane.ts'
import { inPieces } from './pieces.ts'
import { retryUntilDone } from './retry.ts'

/** Puts the orders of messages on `orders:raw` of their users' partitions. */
export interface Writer {
  /**
   * Opens messages, and tries until all their orders are written; while a Redis is away or takes no writes, this waits. Orders that
   * pollers bring for a partition during a write to it go together in the next one.
   * @throws when the signal aborts before all are written
   */
  write(messages: readonly Message[], tick: Tick, signal: AbortSignal): Promise<Write[]>
  /**
   * Resolves when every partition's Redis has taken a write since the last one that failed, or since the start. A message
   * received before that would be received again and again, until SQS moves it to the dead-letter queue.
   */
  ready(tick: Tick, signal: AbortSignal): Promise<void>
}

export function openWriter(app: App, durability: Durability, objects: Objects, gate: Gate): Writer {
  const { partitions } = app
  const writing = reportOutage(app, 'write')
  const opening = openingOf(app, objects)
  /** Passes the gate. A Redis that does not say how much it holds is asked again: what was received is kept. */
  const pass = (tick: Tick, signal: AbortSignal): Promise<void> => {
    const ask = (): Promise<void> =>
      gate.pass(tick, signal).catch((error: unknown) => {
        tick() // progress: Redis answers
        throw error
      })
    return retryUntilDone(writing, ask, signal)
  }
  const lanes = new Map(partitions.map((keys) => [keys, openLane({ app, keys, durability, writing })]))
  return {
    write: async (messages, tick, signal) => {
      const received = await Promise.all(messages.map((message) => openMessage(message, opening, tick, signal)))
      const byPartition = Map.groupBy(received.flat(), (one) => partitionOf(app, one.record.body))
      const writes = [...byPartition].map(([keys, own]) => {
        return writeAll(lanes.get(keys) as Lane, { received: own, tick, signal }, pass)
      })
      return (await Promise.all(writes)).flat()
    },
    ready: async (tick, signal) => {
      await Promise.all([...lanes.values()].map((lane) => lane.ready(tick, signal)))
    },
  }
}

/** Writes a load in pieces. A receive may bring 100,000 orders: while Redis holds enough, the rest waits. */
async function writeAll(lane: Lane, { received, tick, signal }: Load, pass: Gate['pass']): Promise<Write[]> {
  const writes: Write[] = []
  for (const piece of inPieces(received)) {
    if (writes.length > 0) {
      tick()
      if (!signal.aborted) await pass(tick, signal)
    }
    writes.push(await lane.write({ received: piece, tick, signal }))
  }
  return writes
}
