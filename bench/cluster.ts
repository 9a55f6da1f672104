import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import { makeKeys } from '../src/keys.ts'
import { freePort, type RedisServer } from '../test/support/redis-server.ts'
import { until } from '../test/support/until.ts'
import type { ClusterTask } from './cluster-worker.ts'
import {
  alternate,
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
import { startWorker } from './worker.ts'

/** Of what ioredis routes by. */
const slotOf = createRequire(import.meta.resolve('ioredis'))('cluster-key-slot') as (key: string) => number

const partitions = 12
const masterCounts = [0, 1, 2, 3]

interface Setup {
  /** 0 is one Redis without partitions. */
  readonly masters: number
  readonly servers: readonly RedisServer[]
}

/**
 * The line on one Redis, and with 12 partitions on clusters of 1, 2 and 3 masters, all on this machine: what partitions and
 * a cluster cost Redis, and how evenly the masters work. Slots are shared out so that each master has as many partitions.
 */
export async function cluster({
  orders: count = 100_000,
  rounds,
  profile,
  print,
}: Options): Promise<Record<string, unknown>> {
  await using stack = new AsyncDisposableStack()
  const setups: Setup[] = []
  for (const masters of masterCounts) {
    const servers = masters === 0 ? [await openRedisServer()] : await openCluster(masters)
    for (const server of servers) stack.use(server)
    setups.push({ masters, servers })
  }
  const worker = startWorker<ClusterTask, Round>('./cluster-worker.ts', 'cluster', profile)
  const run = async ({ masters, servers }: Setup, orders = count): Promise<Round> => {
    for (const { url } of servers) await flush(url)
    const pids = Object.fromEntries(servers.map((server, at) => [`redis${at + 1}`, server.pid()]))
    const url = servers.map((server) => server.url).join(',')
    return worker.round({ url, partitions: masters === 0 ? 0 : partitions, orders, pids })
  }
  for (const setup of setups) await run(setup, 10_000) // warms up
  const results = await alternate(setups, rounds, (setup) => run(setup))
  await worker.end()
  const figures = new Map([...results].map(([{ masters }, done]) => [masters, figure(done)]))
  print(
    `${count.toLocaleString('en-US')} orders of 10,000 users (Zipf), validate, aggregate and leaderboard in one process`,
  )
  const head = ['Redis', ...rateHead, 'Redis µs per order', 'of one Redis', 'busiest of the mean']
  print(
    table(
      head,
      [...figures].map(([masters, own]) => row(masters, own, figures.get(0) as Figure)),
    ),
  )
  return Object.fromEntries([...figures].map(([masters, own]) => [masters === 0 ? 'single' : `masters${masters}`, own]))
}

function row(masters: number, own: Figure, single: Figure): (string | number)[] {
  const shares = sharesOf(own)
  const sum = sumOf(shares)
  return [
    masters === 0 ? 'one, without partitions' : `cluster of ${masters}, ${partitions} partitions`,
    ...rateCells(own),
    fixed(sum, 1),
    `${fixed(sum / sumOf(sharesOf(single)), 2)}×`,
    `${fixed((Math.max(...shares) * shares.length) / sum, 2)}×`,
  ]
}

const sharesOf = ({ cpu }: Figure): number[] =>
  Object.entries(cpu).flatMap(([name, { usPer }]) => (name.startsWith('redis') ? [usPer] : []))
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

async function flush(url: string): Promise<void> {
  const redis = new Redis(url)
  await redis.flushall('SYNC')
  redis.disconnect()
}

async function openCluster(masters: number): Promise<RedisServer[]> {
  const servers = await Promise.all(
    Array.from({ length: masters }, async () => {
      const own = [
        '--cluster-enabled',
        'yes',
        '--cluster-announce-ip',
        '127.0.0.1',
        '--cluster-port',
        `${await freePort()}`,
      ]
      return openRedisServer(...own)
    }),
  )
  const clients = servers.map(({ url }) => new Redis(url))
  for (const [at, [from, to]] of ranges(masters).entries()) await clients[at]?.cluster('ADDSLOTSRANGE', from, to)
  for (const client of clients.slice(1)) {
    const [port, busPort] = [client.options.port, ((await client.config('GET', 'cluster-port')) as string[])[1]]
    await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', `${port}`, `${busPort}`)
  }
  await until('the cluster to be up', async () => {
    const infos = await Promise.all(clients.map((client) => client.cluster('INFO')))
    return infos.every((info) => info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${masters}`))
  })
  for (const client of clients) client.disconnect()
  return servers
}

const slots = 16_384

/** As many partitions in each range; a range ends half way between two of them. */
function ranges(masters: number): [from: number, to: number][] {
  const taken = Array.from({ length: partitions }, (_, at) => slotOf(makeKeys(at).counters)).sort((a, b) => a - b)
  const ends = Array.from({ length: masters }, (_, at) => {
    const last = taken[((at + 1) * partitions) / masters - 1] ?? 0
    const next = taken[((at + 1) * partitions) / masters]
    return next === undefined ? slots - 1 : Math.floor((last + next) / 2)
  })
  return ends.map((end, at) => [at === 0 ? 0 : (ends[at - 1] ?? 0) + 1, end])
}
