import { setTimeout as sleep } from 'node:timers/promises'
import type { Queue } from '../../ingest/sqs/queue.ts'
import type { OrderFormat } from '../../order/format.ts'
import { writeOrder } from '../../order/write-order.ts'
import { type SampleOptions, sampleOrders } from './sample-orders.ts'
import { sendBatch } from './send-orders.ts'

/** Orders a second: 30 to 60 in waves of a minute are seen on the dashboard, and cost little CPU. */
const meanRate = 45
const swing = 15
const waveMs = 60_000

/** One order in 25 is invalid, and one in 50 is sent twice. */
const samples = { valid: 960_000_000, invalid: 40_000_000, users: 100 }
const repeatEvery = 50

/** The size of a batch of SQS. */
const batchSize = 10
/** Time before the next try when SQS takes no batch. */
const retryMs = 1_000

/** Sends sample orders until the signal aborts, at a rate that rises and falls. Continues after an outage of SQS. */
export async function trickle(
  queue: Queue,
  { format, ...options }: { seed: number; until: Date; format: OrderFormat },
  signal: AbortSignal,
): Promise<void> {
  const from = performance.now()
  for (const batch of batchesOf({ ...options, money: format.money })) {
    await sleep((batch.length * 1_000) / rateAt(performance.now() - from), undefined, { signal })
    const bodies = batch.map((body) => writeOrder(body, format))
    await sendBatch(queue, bodies, format, signal).catch(() => sleep(retryMs, undefined, { signal }))
  }
}

/** Returns the orders a second that are sent so long after the start. */
export function rateAt(ms: number): number {
  return meanRate + swing * Math.sin((2 * Math.PI * ms) / waveMs)
}

/** Yields sample orders in batches. Now and then an order occurs again, as when a producer sends it twice. */
export function* batchesOf(options: Pick<SampleOptions, 'seed' | 'until' | 'money'>): Generator<string[]> {
  const batch: string[] = []
  let count = 0
  for (const { body, kind } of sampleOrders({ ...samples, ...options })) {
    batch.push(body)
    if (kind === 'valid' && ++count % repeatEvery === 0) batch.push(body)
    if (batch.length < batchSize) continue
    yield batch.splice(0, batchSize)
  }
}
