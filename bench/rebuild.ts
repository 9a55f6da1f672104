import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { PartitionScope } from '../src/app.ts'
import { readConfig } from '../src/config/config.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { flushArchive } from '../src/stages/archive/flush.ts'
import { ensureGroups } from '../src/stages/runner/groups.ts'
import { runStage } from '../src/stages/runner/run.ts'
import { fixed, type Options, openRedisServer, table } from './harness.ts'

const users = 20_000
const perEntry = 100
/** Orders a second that come while the archive is counted again. */
const livePerSecond = 1_000

/** Counts an archive again while orders come, compares, and flips after numbers were damaged. */
export async function rebuild({ orders = 1_000_000, print }: Options): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-archive-'))
  try {
    return await measure(orders, folder, print)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(orders: number, folder: string, print: Options['print']): Promise<Record<string, unknown>> {
  await using server = await openRedisServer()
  const env = { REDIS_URL: server.url, ARCHIVE_URL: pathToFileURL(folder).href, LOG_LEVEL: 'silent' }
  await using app = await openApp(readConfig({ ...env, ARCHIVE_SEGMENT_SECONDS: '10' }))
  const [keys] = app.partitions
  if (!keys) return {}
  const scope = { ...app, keys }
  await ensureGroups(scope)
  const stop = new AbortController()
  const stages = app.pipeline.stages.filter(({ isFirst }) => !isFirst)
  const running = stages.map((stage) => runStage(scope, stage, () => {}, stop.signal))
  let sent = 0
  const send = async (count: number): Promise<void> => {
    await admit(scope, sent, count)
    sent += count
  }
  const counted = async (): Promise<void> => {
    for (;;) {
      const counters = stages.filter(({ name }) => name !== 'archive').map(({ counts }) => counts)
      const values = await app.redis.hmget(keys.counters, ...counters)
      if (values.every((value) => Number(value) >= sent)) return
      await sleep(20)
    }
  }
  while (sent < orders) {
    await send(20_000)
    await counted()
  }
  await flushArchive(app)
  await sleep(2_000) // until the streams are trimmed
  for (let user = 0; user < 100; user++) await app.redis.hincrby(keys.userStats(`user_${user}`), 'order_count', 3)
  await app.redis.hincrby(keys.globalStats, 'total_orders', 5)
  const live = new AbortController()
  const living = (async () => {
    for (; !live.signal.aborted; await sleep(100)) await send(livePerSecond / 10)
  })()
  const redisBefore = await usedMb(scope)
  const flipped = await runOrders(['rebuild', '--flip', '--yes', '--json'], env, async () => usedMb(scope))
  live.abort()
  await living
  await counted()
  await flushArchive(app)
  const again = await runOrders(['rebuild', '--json'], env, async () => 0)
  stop.abort()
  await Promise.all(running)
  const found = JSON.parse(flipped.output)
  const figures = {
    orders: found.records,
    seconds: fixed(flipped.seconds, 1),
    perSecond: Math.round(found.records / flipped.seconds),
    'live orders': sent - orders,
    'keys corrected': found.flipped.keys,
    'flip ms': found.flipped.max_ms,
    'MB of the process': flipped.peakMb,
    'MB of Redis more': Math.round(flipped.redisMb - redisBefore),
    'equal after': String(JSON.parse(again.output).equal),
  }
  print(`orders rebuild --flip of ${orders} orders of ${users} users, while ${livePerSecond} a second come`)
  print(table(['what', 'figure'], Object.entries(figures)))
  return figures
}

async function admit({ redis, keys }: PartitionScope, from: number, count: number): Promise<void> {
  const now = Date.now()
  const write = redis.pipeline()
  for (let at = from; at < from + count; at += perEntry) {
    const records = Array.from({ length: Math.min(perEntry, from + count - at) }, (_, i) => {
      const order = { user_id: `user_${((at + i) * 7_919) % users}`, order_id: `order-${at + i}` }
      const time = new Date(now - ((at + i) % 20) * 86_400_000).toISOString()
      const body = JSON.stringify({ ...order, order_value: 10 + (i % 90), order_timestamp: time })
      return { ...order, minor: 1_000 + 100 * (i % 90), order_timestamp: time, body }
    })
    write.xadd(keys.stream('valid'), '*', 'n', records.length, 'c', 1, 'r', JSON.stringify(records))
  }
  write.hincrby(keys.counters, 'received', count).hincrby(keys.counters, 'admitted', count)
  await write.exec()
}

const usedMb = async ({ redis }: PartitionScope): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]) / 1e6

const cli = fileURLToPath(new URL('../src/ops/orders.js', import.meta.url))

interface Run {
  readonly output: string
  readonly seconds: number
  readonly peakMb: number
  /** The most that Redis used meanwhile. */
  readonly redisMb: number
}

async function runOrders(args: string[], env: object, redisMb: () => Promise<number>): Promise<Run> {
  const began = performance.now()
  const child = spawn(process.execPath, [cli, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const peaks = { process: 0, redis: 0 }
  const watch = setInterval(async () => {
    peaks.process = Math.max(peaks.process, peakOf(child))
    peaks.redis = Math.max(peaks.redis, await redisMb())
  }, 100)
  await once(child, 'close')
  clearInterval(watch)
  return {
    output,
    seconds: (performance.now() - began) / 1_000,
    peakMb: Math.round(peaks.process),
    redisMb: peaks.redis,
  }
}

/** Reads how much memory a process has used at most, in MB. */
function peakOf({ pid }: ChildProcess): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024
  } catch {
    return 0 // it has ended
  }
}
