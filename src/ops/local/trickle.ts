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

/** The part of the rate, and the orders in all, that the in-process emulator of Redis takes before it slows down. */
export const forEmulator = { share: 1 / 3, max: 3_000 }

interface Options {
  readonly seed: number
  readonly until: Date
  readonly format: OrderFormat
  /** The part of the usual rate; by default all of it. */
  readonly share?: number
  /** Orders in all; by default without end. */
  readonly max?: number
}

/** Sends sample orders until the signal aborts, at a rate that rises and falls. Continues after an outage of SQS. */
export async function trickle(
  queue: Queue,
  { format, share = 1, max = Number.POSITIVE_INFINITY, ...options }: Options,
  signal: AbortSignal,
): Promise<void> {
  const from = performance.now()
  let sent = 0
  for (const batch of batchesOf({ ...options, money: format.money })) {
    if (sent >= max) return
    sent += batch.length
    await sleep((batch.length * 1_000) / (share * rateAt(performance.now() - from)), undefined, { signal })
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
