import type { Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../app.ts'
import type { Keys } from '../keys.ts'
import { identityIn } from '../order/identity.ts'
import { partitionFor } from '../partitions.ts'
import type { Durability } from './durability.ts'
import type { Objects } from './envelope/objects.ts'
import { openMessage, type Received } from './envelope/received.ts'
import { reportOutage } from './failure-log.ts'
import { type Lane, openLane, type Write } from './lane.ts'

/** Puts messages on `orders:raw` of their users' partitions. */
export interface Writer {
  /**
   * Opens envelopes, and tries until all messages are written; while a Redis takes no writes, this waits. Messages that pollers bring for a
   * partition during a write to it go together in the next one.
   * @throws when the signal aborts before all are written
   */
  write(messages: readonly Message[], tick: Tick, signal: AbortSignal): Promise<Write[]>
  /**
   * Resolves when every partition's Redis has taken a write since the last one that failed, or since the start. A message
   * received before that would be received again and again, until SQS moves it to the dead-letter queue.
   */
  ready(tick: Tick, signal: AbortSignal): Promise<void>
}

export function openWriter(app: App, durability: Durability, objects: Objects): Writer {
  const writing = reportOutage(app, 'write')
  const opening = { envelopes: app.config.envelopes, format: app.format, objects }
  const lanes = new Map(app.partitions.map((keys) => [keys, openLane({ app, keys, durability, writing })]))
  return {
    write: async (messages, tick, signal) => {
      const received = await Promise.all(messages.map((message) => openMessage(message, opening, tick, signal)))
      const byPartition = Map.groupBy(received, (one) => partitionOf(app, one))
      return Promise.all(
        [...byPartition].map(([keys, own]) => (lanes.get(keys) as Lane).write({ received: own, tick, signal })),
      )
    },
    ready: async (tick, signal) => {
      await Promise.all([...lanes.values()].map((lane) => lane.ready(tick, signal)))
    },
  }
}

/** Returns the partition of an order's user. With one partition the body is not read. */
export function partitionOf({ partitions, format }: App, { record }: Received): Keys {
  return partitionFor(partitions, partitions.length === 1 ? undefined : identityIn(record.body, format).userId)
}
