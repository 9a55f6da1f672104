import { Redis } from 'ioredis'
import { spawnRedisCluster } from '../test/support/redis-cluster.ts'
import type { RedisServer } from '../test/support/redis-server.ts'
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

/** With evenly distributed slots, so many partitions spread evenly over two and three masters: see docs/scaling.md. */
const partitions = 22
const masterCounts = [0, 1, 2, 3]

interface Setup {
  /** 0 means one Redis without partitions. */
  readonly masters: number
  readonly servers: readonly RedisServer[]
}

/**
 * Measures the pipeline on one Redis, and with partitions on clusters of 1, 2 and 3 masters, all on this machine: what
 * partitions and a cluster cost Redis, and how evenly the masters are loaded.
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
    if (masters === 0) setups.push({ masters, servers: [stack.use(await openRedisServer())] })
    else setups.push({ masters, servers: stack.use(await spawnRedisCluster({ masters })).nodes })
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
  await redis.config('SET', 'appendonly', 'no')
  await redis.flushall('SYNC')
  redis.disconnect()
}
