import { Redis } from 'ioredis'
import { readConfig } from '../src/config.ts'
import type { RedisServer } from '../test/support/redis-server.ts'
import type { DrainTask } from './bridge-worker.ts'
import {
  alternate,
  costOf,
  type Figure,
  figure,
  fixed,
  type Options,
  openRedisServer,
  type Round,
  rateCells,
  rateHead,
  table,
} from './harness.ts'
import { openSqs, type Sqs } from './queue.ts'
import { startWorker, type Worker } from './worker.ts'

const pollerCounts = [1, 2, 4, 8]

/** Our transports that this version has. */
export function transports(): string[] {
  return ['sdk', 'thin'].filter((name) => {
    try {
      const config: Readonly<Record<string, unknown>> = readConfig({ SQS_TRANSPORT: name })
      return name === 'sdk' || config['sqsTransport'] === name
    } catch {
      return false
    }
  })
}

interface Drainer {
  readonly transport: string
  readonly pollers: number
  readonly worker: Worker<DrainTask, Round>
}

/** Messages received, written to orders:raw and deleted, against a loop that only receives and deletes. */
export async function bridge({
  orders: count = 8_000,
  rounds,
  profile,
  print,
}: Options): Promise<Record<string, unknown>> {
  await using redis = await openRedisServer()
  await using sqs = await openSqs()
  const names = ['bare', ...transports()]
  const workers = names.map((name) => startWorker<DrainTask, Round>('./bridge-worker.ts', `bridge-${name}`, profile))
  const drainers = pollerCounts.flatMap((pollers) =>
    names.map((transport, at): Drainer => ({ transport, pollers, worker: workers[at] as Worker<DrainTask, Round> })),
  )
  const run = (drainer: Drainer, messages: number): Promise<Round> => drain(drainer, { redis, sqs, count: messages })
  for (const drainer of drainers) if (drainer.pollers === 4) await run(drainer, 2_000) // warms up
  const results = await alternate(drainers, rounds, (drainer) => run(drainer, count))
  for (const worker of workers) await worker.end()
  const figures = new Map(
    [...results].map(([{ transport, pollers }, done]) => [`${transport}${pollers}`, figure(done)]),
  )
  print(
    `${count.toLocaleString('en-US')} messages, fauxqs in memory in a process of its own; ours: enqueued and deleted; bare: received and deleted, no more`,
  )
  print(
    table(
      ['bridge', ...rateHead, 'of bare', 'by CPU of node'],
      drainers.map((drainer) => row(drainer, figures)),
    ),
  )
  return Object.fromEntries(figures)
}

function row({ transport, pollers }: Drainer, figures: ReadonlyMap<string, Figure>): (string | number)[] {
  const own = figures.get(`${transport}${pollers}`) as Figure
  const bare = figures.get(`bare${pollers}`) as Figure
  const name = transport === 'bare' ? 'bare @aws-sdk loop' : `bridge, ${transport}`
  return [
    `${name}, ${pollers} pollers`,
    ...rateCells(own),
    `${fixed(own.perSecond / bare.perSecond, 2)}×`,
    `${fixed(costOf(bare, others) / costOf(own, others), 2)}×`,
  ]
}

/** Processes that are no client. */
const others = ['sqs', 'redis']

let queues = 0

async function drain(
  { transport, pollers, worker }: Drainer,
  on: { redis: RedisServer; sqs: Sqs; count: number },
): Promise<Round> {
  const { redis, sqs, count } = on
  const queueName = `bench-${++queues}`
  const client = new Redis(redis.url)
  await client.flushall('SYNC')
  await sqs.fill(queueName, count)
  const pids = { sqs: sqs.pid, redis: redis.pid() }
  const round = await worker.round({ transport, pollers, count, queueName, sqsUrl: sqs.url, redisUrl: redis.url, pids })
  const received = Number(await client.hget('pipeline:counters', 'received'))
  client.disconnect()
  if (transport !== 'bare' && received !== count)
    throw new Error(`bridge: ${received} of ${count} messages are on orders:raw`)
  return round
}
