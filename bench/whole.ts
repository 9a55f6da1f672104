import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { transports } from './bridge.ts'
import {
  alternate,
  costOf,
  cpuMeter,
  figure,
  fixed,
  type Options,
  openRedisServer,
  type Round,
  rateCells,
  rateHead,
  table,
} from './harness.ts'
import { type Process, pythonLikeProgram, start, startOrders } from './process.ts'
import { openSqs, type Sqs } from './queue.ts'

interface Way {
  readonly key: string
  readonly about: string
  readonly share: number
  readonly perBody: number
  open(redisUrl: string, sqsUrl: string, queueName: string, profile: boolean): Promise<Record<string, Process>>
  /** Key and field of the counter of finished orders. */
  readonly counter: readonly [string, string]
}

const stages = ['validate', 'aggregate', 'leaderboard']

type Groups = Readonly<Record<string, readonly string[]>>

function ours(transport: string, groups: Groups, key: string, about: string, perBody = 1): Way {
  const many = perBody > 1
  return {
    key: `${key}-${transport}${many ? `-${perBody}` : ''}`,
    about: `${about}, ${transport}${many ? `, ${perBody} orders a body` : ''}`,
    share: 1,
    perBody,
    counter: ['pipeline:counters', 'ranked'],
    open: async (redisUrl, sqsUrl, queueName, profile) => {
      const queue = { AWS_ENDPOINT_URL: sqsUrl, SQS_QUEUE_NAME: queueName, SQS_TRANSPORT: transport }
      const env = { REDIS_URL: redisUrl, ...queue, ORDERS_PER_BODY: many ? 'many' : 'one' }
      const started = Object.entries(groups).map(async ([name, roles]) => [
        name,
        await startOrders(roles, env, profile),
      ])
      return Object.fromEntries(await Promise.all(started))
    },
  }
}

const pythonLike: Way = {
  key: 'oneAtATime',
  about: "the Python system's algorithm*",
  share: 0.1,
  perBody: 1,
  counter: ['global:stats', 'total_orders'],
  open: async (...args) => {
    const process = start('python-like', [pythonLikeProgram, ...args.slice(0, 3).map(String)], {}, args[3])
    await process.says('started')
    return { node: process }
  },
}

/** Measures from SQS to ranked. */
export async function whole(options: Options): Promise<Record<string, unknown>> {
  const { orders = 20_000, rounds, only, profile, print } = options
  const all = [
    ...transports().flatMap((name) => [
      ours(name, { node: ['bridge', ...stages] }, 'one', 'one process'),
      ours(name, { node: ['bridge', ...stages] }, 'one', 'one process', 100),
      ours(name, { bridge: ['bridge'], stages }, 'two', 'bridge and stages apart'),
      ours(
        name,
        { bridge: ['bridge'], validate: ['validate'], aggregate: ['aggregate'], leaderboard: ['leaderboard'] },
        'apart',
        'four processes',
      ),
    ]),
    pythonLike,
  ]
  const ways = only.length === 0 ? all : all.filter(({ key }) => only.includes(key))
  await using sqs = await openSqs()
  const results = await alternate(ways, rounds, (way) => run(way, sqs, Math.round(orders * way.share), profile))
  const figures = [...results].map(([way, done]) => ({ way, ...figure(done) }))
  const slow = figures.at(-1) as (typeof figures)[number]
  print(
    `${orders.toLocaleString('en-US')} orders; processes are warm (half as many orders before), held while the queue is filled, and go on together`,
  )
  const rows = figures.map((one) => [
    one.way.about,
    ...rateCells(one),
    `${fixed(one.perSecond / slow.perSecond, 1)}×`,
    `${fixed(costOf(slow, ['sqs']) / costOf(one, ['sqs']), 1)}×`,
  ])
  print(
    `${table(['SQS to ranked', ...rateHead, 'of the last', 'by CPU'], rows)}\n* fewer orders: its rate does not depend on how many`,
  )
  return Object.fromEntries(figures.map(({ way, ...rest }) => [way.key, rest]))
}

let queues = 0

async function run(way: Way, sqs: Sqs, count: number, profile: boolean): Promise<Round> {
  await using server = await openRedisServer()
  const redis = new Redis(server.url)
  const queueName = `whole-${++queues}`
  const processes = await way.open(server.url, sqs.url, queueName, profile)
  const through = async (total: number): Promise<void> => {
    while (Number(await redis.hget(...way.counter)) < total) await sleep(3)
  }
  const all = (signal: NodeJS.Signals): void =>
    Object.values(processes).forEach(({ pid }) => void process.kill(pid, signal))
  const first = Math.round(count / 2) // the compiler needs some seconds of work
  await sqs.fill(queueName, first, { perBody: way.perBody })
  await through(first)
  await sleep(300) // deletions
  all('SIGSTOP')
  await sqs.fill(queueName, count, { seed: 8, perBody: way.perBody })
  const pids = Object.fromEntries(Object.entries(processes).map(([name, { pid }]) => [name, pid]))
  const meter = cpuMeter({ sqs: sqs.pid, redis: server.pid(), ...pids })
  const started = performance.now()
  all('SIGCONT')
  await through(first + count)
  const round = { count, ms: performance.now() - started, cpuMs: meter() }
  for (const one of Object.values(processes)) await one[Symbol.asyncDispose]()
  redis.disconnect()
  return round
}
