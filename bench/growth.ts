import { Redis } from 'ioredis'
import { readConfig } from '../src/config/config.ts'
import { makeKeys } from '../src/keys.ts'
import { generationSeconds } from '../src/stages/runner/ledger.ts'
import type { RedisServer } from '../test/support/redis-server.ts'
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
import type { Task } from './line/worker.ts'
import { startWorker, type Worker } from './worker.ts'

/** A kind of data that grows, and how to fill Redis with it as the pipeline would. */
interface Growth {
  readonly key: string
  readonly about: string
  readonly from: number
  readonly to: number
  readonly unit: string
  fill(redis: Redis, from: number, to: number): Promise<void>
}

const keys = makeKeys()
const config = readConfig({})

/** Scripts that put the items ARGV[1] up to ARGV[2] of a kind into Redis. */
const scripts = {
  users: `for i = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
    local user, orders, spent = 'user_x' .. i, 1 + i % 50, 10000 + (i * 7919) % 1000000
    redis.call('HSET', '${keys.userStats('')}' .. user, 'order_count', orders, 'total_spend_minor', spent)
    redis.call('ZADD', '${keys.leaderboardSpend}', spent, user)
    redis.call('ZADD', '${keys.leaderboardOrders}', orders, user)
  end`,
  ledger: `for i = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
    local digest = redis.sha1hex(i)
    local bucket = tonumber(digest:sub(-7), 16) % tonumber(ARGV[3])
    redis.call('HSET', ARGV[4] .. bucket, digest:sub(1, 16), digest:sub(17, 22) .. (10000 + i % 90000))
  end`,
  invalid: `local order = '"order":{"user_id":"user_77","order_id":"x-1","order_value":"17","items":[' ..
    string.rep('{"product_id":"P001","quantity":3,"price_per_unit":50.25},', 4) .. '0]},"code":"bad-value",' ..
    '"reason":"order_value must be a number","ts":"2026-01-01T00:00:00.000Z","attempts":1}'
  for i = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
    local id = redis.call('XADD', '${keys.invalid}', '*', 'code', 'bad-value', 'record', '{' .. order)
    redis.call('LPUSH', '${keys.invalidOrders}', '{"id":"' .. id .. '",' .. order)
    local ms, sequence = id:match('(%d+)-(%d+)')
    redis.call('ZADD', '${keys.invalidGroup('bad-value:number')}', 0, ms .. '-' .. string.rep('0', 10 - #sequence) .. sequence)
  end`,
} as const

function scripted(name: keyof typeof scripts, ...more: (string | number)[]): Growth['fill'] {
  return async (redis, from, to) => {
    for (let at = from; at < to; at += step) await redis.eval(scripts[name], 0, at, Math.min(to, at + step), ...more)
  }
}
/** Items per script call: more would block Redis for too long. */
const step = 5_000

const generation = Math.floor(Date.now() / 1_000 / generationSeconds(config))
const growths: readonly Growth[] = [
  { key: 'users', about: 'users', from: 1_000, to: 1_000_000, unit: 'user', fill: scripted('users') },
  {
    key: 'ledger',
    about: 'remembered orders',
    from: 0,
    to: 5_000_000,
    unit: 'remembered order',
    fill: scripted('ledger', config.ledgerBuckets, keys.ledger(generation, 0).slice(0, -1)),
  },
  { key: 'invalid', about: 'invalid orders', from: 0, to: 1_000_000, unit: 'invalid order', fill: scripted('invalid') },
]

type LineWorker = Worker<Task, Round>

/**
 * Measures throughput with little and with much in Redis, alternating between two servers. One order in 50 is invalid.
 */
export async function growth({
  orders = 20_000,
  rounds,
  scale,
  profile,
  print,
}: Options): Promise<Record<string, unknown>> {
  const worker = startWorker<Task, Round>('./line/worker.ts', 'growth', profile)
  const figures: Record<string, unknown> = {}
  const rows: (string | number)[][] = []
  for (const growing of growths) {
    const { start, end, bytes } = await grow(growing, worker, { orders, rounds, scale })
    const to = Math.round(growing.to * scale)
    const kept = fixed(end.perSecond / start.perSecond, 2)
    rows.push([`${growing.from.toLocaleString('en-US')} ${growing.about}`, ...rateCells(start), ''])
    rows.push([
      `${to.toLocaleString('en-US')} ${growing.about}`,
      ...rateCells(end),
      `${kept}×`,
      `${bytes} B per ${growing.unit}`,
    ])
    figures[growing.key] = { start, end, ratio: kept, to, bytesPerUnit: bytes }
  }
  const backlog = await workOffBacklog(Math.round(1_000_000 * scale), orders, worker)
  await worker.end()
  for (const { name, round } of backlog.parts) rows.push([name, ...rateCells(figure([round])), ''])
  const kept = fixed(backlog.ratio, 2)
  rows.push(['waiting orders', '', '', '', '', '', `${kept}×`, `${backlog.bytes} B per waiting record`])
  figures['backlog'] = { ...backlog, ratio: kept }
  print(`scale ${scale} of 1M users, 5M remembered, 1M invalid, 1M waiting; end over start`)
  print(
    table(
      ['with', ...rateHead, 'kept', 'memory'],
      rows.map((row) => [...row, '', ''].slice(0, 8)),
    ),
  )
  return figures
}

let seed = 100

async function grow(
  growing: Growth,
  worker: LineWorker,
  { orders, rounds, scale }: { orders: number; rounds: number; scale: number },
): Promise<{ start: Figure; end: Figure; bytes: number }> {
  await using small = await openRedisServer()
  await using large = await openRedisServer()
  const [few, many] = [new Redis(small.url), new Redis(large.url)]
  await growing.fill(few, 0, growing.from)
  await growing.fill(many, 0, growing.from)
  const before = await memory(many)
  const to = Math.round(growing.to * scale)
  await growing.fill(many, growing.from, to)
  const bytes = Math.round(((await memory(many)) - before) / (to - growing.from))
  const servers = [small, large]
  await lineOn(worker, small, orders)
  const results = await alternate(servers, rounds, (server) => lineOn(worker, server, orders))
  few.disconnect()
  many.disconnect()
  const [start = [], end = []] = servers.map((server) => results.get(server))
  return { start: figure(start), end: figure(end), bytes }
}

function lineOn(worker: LineWorker, server: RedisServer, orders: number): Promise<Round> {
  const task = { contender: 'ours', level: config.stageInFlight, url: server.url, redisPid: server.pid() }
  return worker.round({ ...task, orders, seed: ++seed, spoilEvery: 50 })
}

async function memory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
}

/** Compares a pipeline with `orders` waiting with one that has a backlog, both from full to empty. */
async function workOffBacklog(waiting: number, orders: number, worker: LineWorker) {
  await using small = await openRedisServer()
  await using large = await openRedisServer()
  const short = await lineOn(worker, small, orders)
  const long = await lineOn(worker, large, waiting)
  const rate = ({ count, ms }: Round): number => count / ms
  return {
    parts: [
      { name: `${orders.toLocaleString('en-US')} waiting orders`, round: short },
      { name: `${waiting.toLocaleString('en-US')} waiting orders`, round: long },
    ],
    ratio: rate(long) / rate(short),
    bytes: Math.round((long.filledBytes ?? 0) / waiting),
  }
}
