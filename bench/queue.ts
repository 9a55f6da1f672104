import { readConfig } from '../src/config/config.ts'
import { openQueue, type Queue } from '../src/ingest/sqs/queue.ts'
import { sendOrders } from '../src/ops/local/send-orders.ts'
import type { progressOn } from '../src/ops/terminal/interactive/progress.ts'
import { formatOf } from '../src/order/format.ts'
import { benchOrders } from './orders.ts'
import { sqsProgram, start } from './process.ts'

/** An SQS emulator in its own process. */
export interface Sqs extends AsyncDisposable {
  readonly pid: number
  readonly url: string
  /** Sends so many orders to a queue, one a body unless it says otherwise. */
  fill(queueName: string, count: number, how?: { seed?: number; perBody?: number }): Promise<void>
}

export async function openSqs(): Promise<Sqs> {
  const server = start('sqs', [sqsProgram], {})
  const url = `http://127.0.0.1:${(await server.says('port')).split(' ')[1]}`
  return {
    pid: server.pid,
    url,
    fill: async (queueName, count, { seed = 7, perBody = 1 } = {}) => {
      using queue = await openBenchQueue(url, queueName)
      const orders = benchOrders(count, { seed }).map(({ body }) => body)
      await sendOrders(
        queue,
        perBody === 1 ? orders : lists(orders, perBody),
        { progress: silent, format: formatOf(readConfig({})) },
        new AbortController().signal,
      )
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

function* lists(orders: readonly string[], perBody: number): Generator<string> {
  for (let at = 0; at < orders.length; at += perBody) yield `[${orders.slice(at, at + perBody)}]`
}

const silent: ReturnType<typeof progressOn> = { show: () => {}, end: () => {} }

export function openBenchQueue(url: string, queueName: string): Promise<Queue & Disposable> {
  return openQueue(readConfig({ AWS_ENDPOINT_URL: url, SQS_QUEUE_NAME: queueName }))
}
