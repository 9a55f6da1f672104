import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { enqueue } from '../src/ingest/enqueue.ts'
import { makeKeys } from '../src/keys.ts'
import { sampleOrders } from '../src/ops/local/sample-orders.ts'
import { cpuMeter, fixed, median, type Options, openRedisServer, table } from './harness.ts'
import { chunks, inParallel } from './line/contender.ts'
import { type Process, startOrders } from './process.ts'

interface Shot {
  readonly requests: { readonly average: number }
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly non2xx: number
  readonly errors: number
}
const autocannon = createRequire(import.meta.url)('autocannon') as (options: object) => Promise<Shot>

const connections = 64
const seconds = 3
const warmUpSeconds = 1
/** Most orders a second that the pipeline processes while it shares two cores with the API and autocannon. */
const sharedRate = 30_000
const users = 30_000
const routes = {
  userStats: '/users/user_7/stats',
  global: '/stats/global',
  top: '/stats/top-users?by=spend&n=10',
  topDeep: '/stats/top-users?by=spend&n=10&offset=10000',
  invalid: '/orders/invalid?limit=50',
} as const

interface Answer {
  readonly route: string
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly apiCpu: number
  /** Requests that were not answered with 200, such as 503 when Redis took more than two seconds. */
  readonly refused: number
}

/**
 * Measures requests a second and latency of the API in its own process, idle and while the pipeline processes a
 * backlog.
 */
export async function api({ orders = 60_000, rounds, profile, print }: Options): Promise<Record<string, unknown>> {
  await using server = await openRedisServer()
  const redis = new Redis(server.url)
  const env = { REDIS_URL: server.url, LOG_LEVEL: 'info' }
  await using line = await startOrders(['validate', 'aggregate', 'leaderboard'], env)
  await send(redis, { valid: orders, invalid: 2_000, users, seed: 1 })
  await drained(redis)
  await using web = await startOrders(['api'], env, profile)
  const url = JSON.parse(await web.says('"msg":"ready"')).url
  const idle = await measureAll(url, web, rounds)
  process.kill(line.pid, 'SIGSTOP')
  const measuredSeconds = Object.keys(routes).length * (warmUpSeconds + seconds * rounds)
  await send(redis, { valid: sharedRate * measuredSeconds, invalid: 0, users, seed: 3 })
  process.kill(line.pid, 'SIGCONT')
  const busy = await measureAll(url, web, rounds)
  const left = await redis.xlen(makeKeys().stream('raw'))
  redis.disconnect()
  print(
    `${connections} connections, ${seconds} s a route and round; ${users.toLocaleString('en-US')} users, ${orders.toLocaleString('en-US')} orders, 2,000 invalid; autocannon, API, line and Redis share the machine`,
  )
  print(answers('idle', idle))
  print(`\n${answers('while the line runs', busy)}`)
  print(left > 0 ? 'The line ran all the while.' : 'The line ran out of orders before the end.')
  return { idle: byRoute(idle), busy: byRoute(busy), lineRanThroughout: left > 0 }
}

const byRoute = (all: readonly Answer[]) => Object.fromEntries(all.map(({ route, ...rest }) => [route, rest]))

function answers(when: string, all: readonly Answer[]): string {
  const head = [when, 'requests/s', 'p50 ms', 'p99 ms', 'max ms', 'CPU of the API', 'requests/s of one core', 'refused']
  return table(
    head,
    all.map(({ route, perSecond, p50, p99, max, apiCpu, refused }) => {
      return [
        route,
        perSecond,
        `${p50}`,
        `${p99}`,
        `${max}`,
        `${apiCpu}%`,
        Math.round((100 * perSecond) / apiCpu),
        refused,
      ]
    }),
  )
}

async function measureAll(url: string, web: Process, rounds: number): Promise<Answer[]> {
  const all = new Map<string, Answer[]>()
  for (const path of Object.values(routes))
    await autocannon({ url: `${url}${path}`, connections, duration: warmUpSeconds })
  for (let round = 0; round < rounds; round++) {
    for (const [route, path] of Object.entries(routes)) {
      all.set(route, [...(all.get(route) ?? []), await measure(route, `${url}${path}`, web)])
    }
  }
  return [...all].map(([route, shots]) => {
    const of = (name: 'perSecond' | 'p50' | 'p99' | 'max' | 'apiCpu') =>
      fixed(median(shots.map((shot) => shot[name])), 1)
    return {
      route,
      perSecond: Math.round(of('perSecond')),
      p50: of('p50'),
      p99: of('p99'),
      max: of('max'),
      apiCpu: Math.round(of('apiCpu')),
      refused: shots.reduce((sum, { refused }) => sum + refused, 0),
    }
  })
}

async function measure(route: string, url: string, web: Process): Promise<Answer> {
  const meter = cpuMeter({ api: web.pid })
  const started = performance.now()
  const { requests, latency, non2xx, errors } = await autocannon({ url, connections, duration: seconds })
  const apiCpu = (100 * (meter()['api'] ?? 0)) / (performance.now() - started)
  return {
    route,
    perSecond: requests.average,
    p50: latency.p50,
    p99: latency.p99,
    max: latency.max,
    apiCpu,
    refused: non2xx + errors,
  }
}

async function send(redis: Redis, samples: Parameters<typeof sampleOrders>[0]): Promise<void> {
  const records = Array.from(sampleOrders(samples), ({ body }) => ({ id: randomUUID(), body }))
  await inParallel(chunks(records, 10), 32, (ten) => enqueue(redis, makeKeys(), ten))
}

async function drained(redis: Redis): Promise<void> {
  const { counters } = makeKeys()
  const fields = ['received', 'rejected', 'ranked'] as const
  for (;;) {
    const [received, rejected, ranked] = (await redis.hmget(counters, ...fields)).map(Number)
    if (received === (rejected ?? 0) + (ranked ?? 0)) return
    await sleep(20)
  }
}
