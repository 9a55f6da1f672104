import { readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { sendOrders } from '../../src/ops/local/send-orders.ts'
import { plainFormat } from './plain-format.ts'
import type { Env } from './world.ts'

const silent = { show: () => {}, end: () => {} }

/** Sends bodies through the real SQS API. */
export async function sendBodies(env: Env, bodies: readonly string[]): Promise<void> {
  using queue = await openQueue(readConfig({ ...env }))
  await sendOrders(queue, bodies, { progress: silent, format: plainFormat }, new AbortController().signal)
}
