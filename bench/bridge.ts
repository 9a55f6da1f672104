import { Redis } from 'ioredis'
import { readConfig } from '../src/config/config.ts'
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

/** Numbers of pollers in a process, and of processes with a queue each. */
const settings = [
  { pollers: 1, processes: 1 },
  { pollers: 2, processes: 1 },
  { pollers: 4, processes: 1 },
  { pollers: 8, processes: 1 },
  { pollers: 16, processes: 1 },
  { pollers: 4, processes: 2 },
] as const

/** The transports that this version has. */
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
  readonly workers: readonly Worker<DrainTask, Round>[]
}

/** Measures messages received, written to orders:raw and deleted, against a loop that only receives and deletes. */
export async function bridge({
  orders: count = 16_000,
  rounds,
  only,
  profile,
  print,
}: Options): Promise<Record<string, unknown>> {
  await using redis = await openRedisServer()
  await using sqs = await openSqs()
  const names = ['bare', ...transports()]
  const both = [1, 2]
  const workers = new Map(
    names.map((name) => [
      name,
      both.map((at) => startWorker<DrainTask, Round>('./bridge-worker.ts', `bridge-${name}-${at}`, profile)),
    ]),
  )
  const all = settings.flatMap(({ pollers, processes }) =>
    names.map((transport): Drainer => {
      return { transport, pollers, workers: workers.get(transport)?.slice(0, processes) ?? [] }
    }),
  )
  const drainers = only.length === 0 ? all : all.filter((drainer) => only.includes(keyOf(drainer)))
  const run = (drainer: Drainer, messages: number): Promise<Round> => drain(drainer, { redis, sqs, count: messages })
  for (const drainer of all) if (drainer.pollers === 4) await run(drainer, 4_000) // warms up
  const results = await alternate(drainers, rounds, (drainer) => run(drainer, count))
  for (const worker of [...workers.values()].flat()) await worker.end()
  const figures = new Map([...results].map(([drainer, done]) => [keyOf(drainer), figure(done)]))
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

/** Returns `thin4`, or `thin4x2` with two processes. */
function keyOf({ transport, pollers, workers }: Drainer): string {
  return `${transport}${pollers}${workers.length > 1 ? `x${workers.length}` : ''}`
}

function row(drainer: Drainer, figures: ReadonlyMap<string, Figure>): (string | number)[] {
  const { transport, pollers, workers } = drainer
  const own = figures.get(keyOf(drainer)) as Figure
  const bare = figures.get(keyOf({ ...drainer, transport: 'bare' })) as Figure
  const name = transport === 'bare' ? 'bare @aws-sdk loop' : `bridge, ${transport}`
  const each = workers.length > 1 ? ` in each of ${workers.length} processes` : ''
  return [
    `${name}, ${pollers} pollers${each}`,
    ...rateCells(own),
    `${fixed(own.perSecond / bare.perSecond, 2)}×`,
    `${fixed(costOf(bare, others) / costOf(own, others), 2)}×`,
  ]
}

/** Processes that are not under test. */
const others = ['sqs', 'redis']

let queues = 0

async function drain(
  { transport, pollers, workers }: Drainer,
  on: { redis: RedisServer; sqs: Sqs; count: number },
): Promise<Round> {
  const { redis, sqs } = on
  const client = new Redis(redis.url)
  await client.flushall('SYNC')
  const count = on.count / workers.length
  const pids = { sqs: sqs.pid, redis: redis.pid() }
  const tasks = workers.map(() => {
    return { transport, pollers, count, queueName: `bench-${++queues}`, sqsUrl: sqs.url, redisUrl: redis.url, pids }
  })
  for (const { queueName } of tasks) await sqs.fill(queueName, count)
  const rounds = await Promise.all(workers.map((worker, at) => worker.round(tasks[at] as DrainTask)))
  const received = Number(await client.hget('pipeline:counters', 'received'))
  client.disconnect()
  if (transport !== 'bare' && received !== on.count)
    throw new Error(`bridge: ${received} of ${on.count} messages are on orders:raw`)
  return together(rounds, on.count)
}

/**
 * Adds up processes that ran at the same time: the time is that of the slowest. Each of them measured the shared servers,
 * and its peer as other work.
 */
function together(rounds: readonly Round[], count: number): Round {
  const most = (of: (round: Round) => number): number => Math.max(...rounds.map(of))
  const used = (name: string) => most(({ cpuMs }) => cpuMs[name] ?? 0)
  const node = rounds.reduce((sum, { cpuMs }) => sum + (cpuMs['node'] ?? 0), 0)
  const peers = (node * (rounds.length - 1)) / rounds.length
  const cpuMs = { sqs: used('sqs'), redis: used('redis'), node, others: Math.max(0, used('others') - peers) }
  return { count, ms: most(({ ms }) => ms), cpuMs }
}
