import type { App, Tick } from '../app.ts'
import { openGate } from './backpressure.ts'
import { openDeletions } from './deletions.ts'
import { openDurability } from './durability.ts'
import { openWakeups } from './empty-receives.ts'
import { openObjects } from './envelope/objects.ts'
import { reportOutage } from './failure-log.ts'
import { poll } from './poll.ts'
import type { Queue } from './sqs/queue.ts'
import { openWriter } from './writer.ts'

/**
 * Moves messages from SQS to `orders:raw`, in record batches. It takes any body: validate decides. While Redis takes no
 * writes, a poller keeps its batch and receives nothing more: SQS moves a message that is received again and again to the
 * dead-letter queue. A message is deleted only when its write is durable. If the process dies before, SQS delivers the
 * message again and the ledger recognizes it.
 */
export interface Bridge extends Disposable {
  /** Runs one poller until the signal aborts; run BRIDGE_POLLERS of it. */
  poll(tick: Tick, signal: AbortSignal): Promise<void>
  /** Runs the deletion queue; run one of it. */
  delete(tick: Tick, signal: AbortSignal): Promise<void>
}

/** @param readWaiting orders that wait in Redis for any stage: above HIGH_WATER_ORDERS nothing more is received */
export async function openBridge(app: App, queue: Queue, readWaiting: () => Promise<number>): Promise<Bridge> {
  const durability = await openDurability(app)
  const objects = openObjects(app)
  let polling = 0
  const deletions = openDeletions(app, queue, durability, () => polling)
  const gate = openGate(app, readWaiting)
  const shared = {
    deletions,
    writer: openWriter(app, durability, objects, gate),
    gate,
    receiving: reportOutage(app, 'receive'),
    waiting: reportOutage(app, 'wait'),
    wakeups: openWakeups(() => polling),
  }
  return {
    poll: async (tick, signal) => {
      polling++
      const poller = { ...shared, tick, signal }
      try {
        await poll(app, queue, poller)
      } finally {
        shared.receiving.left(poller)
        polling--
      }
    },
    delete: deletions.run,
    [Symbol.dispose]: () => {
      objects[Symbol.dispose]()
      durability[Symbol.dispose]()
    },
  }
}
