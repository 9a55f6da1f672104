import { randomUUID } from 'node:crypto'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../src/config/config.ts'
import { enqueue } from '../src/ingest/enqueue.ts'
import type { Keys } from '../src/keys.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { cpuMeter, fixed, median, type Options, openRedisServer, table } from './harness.ts'
import type { LatencyTask, Ranked } from './latency-worker.ts'
import { benchOrders, withUser } from './orders.ts'
import { startWorker } from './worker.ts'

const rates = [500, 2_000]
const warmUpSeconds = 2
const seconds = 8
/** A user repeats after 5 s at the earliest, so that no two orders of one user are in flight at once. */
const users = 10_000

interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly cpu: Readonly<Record<string, number>>
}

/**
 * Measures from the call of enqueue() (one order an entry) to the reply of the commit that ranked it. Another process
 * sends.
 */
export async function latency({ rounds, profile, print }: Options): Promise<Record<string, unknown>> {
  const results = new Map(rates.map((rate): [number, Percentiles[]] => [rate, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [rate, done] of results) done.push(await measure(rate, profile && round === 0))
  }
  const figures = [...results].map(([rate, done]) => {
    const of = (name: 'p50' | 'p99' | 'max') => {
      const values = done.map((one) => one[name])
      return { median: fixed(median(values), 2), min: Math.min(...values), max: Math.max(...values) }
    }
    return { rate, p50: of('p50'), p99: of('p99'), max: of('max'), cpu: done[0]?.cpu ?? {} }
  })
  const ms = ({ median, min, max }: { median: number; min: number; max: number }): string => `${median} (${min}–${max})`
  const cpu = (used: Readonly<Record<string, number>>): string =>
    Object.entries(used)
      .map(([name, percent]) => `${name} ${percent}%`)
      .join(' ')
  print(
    `${seconds} s after ${warmUpSeconds} s of warm-up, sent by another process, an entry per order: enqueue() called to the commit's reply`,
  )
  print(
    table(
      ['orders a second', 'p50 ms', 'p99 ms', 'max ms', 'CPU'],
      figures.map((row) => [row.rate, ms(row.p50), ms(row.p99), ms(row.max), cpu(row.cpu)]),
    ),
  )
  return Object.fromEntries(figures.map(({ rate, ...row }) => [`at${rate}`, row]))
}

async function measure(rate: number, profile: boolean): Promise<Percentiles> {
  await using server = await openRedisServer()
  const worker = startWorker<LatencyTask, readonly Ranked[]>('./latency-worker.ts', `latency-${rate}`, profile)
  await worker.round({ do: 'start', url: server.url })
  const meter = cpuMeter({ redis: server.pid(), node: worker.pid })
  const sentUs = await send(server.url, rate)
  const used = meter()
  await sleep(1_000)
  const histogram = histogramOf(sentUs, await worker.round({ do: 'report' }), rate * warmUpSeconds)
  await worker.end()
  const ms = (us: number): number => fixed(us / 1_000, 2)
  const at = (percentile: number): number => ms(histogram.percentile(percentile))
  const spent = (warmUpSeconds + seconds) * 10
  const cpu = Object.fromEntries(Object.entries(used).map(([name, used]) => [name, Math.round(used / spent)]))
  return { p50: at(50), p99: at(99), max: ms(histogram.max), cpu }
}

/** Sends at a fixed rate, whether the pipeline keeps up or not. */
async function send(url: string, rate: number): Promise<number[]> {
  await using app = await openApp(readConfig({ REDIS_URL: url, LOG_LEVEL: 'silent' }))
  const total = rate * (warmUpSeconds + seconds)
  const orders = benchOrders(total).map(({ body }, at) => withUser(body, `user_${at % users}`))
  const sentUs: number[] = []
  const writes: Promise<unknown>[] = []
  const started = performance.now()
  while (sentUs.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) * rate) / 1_000))
    while (sentUs.length < due) {
      const body = orders[sentUs.length] ?? ''
      sentUs.push(nowUs())
      writes.push(enqueue(app.redis, app.partitions[0] as Keys, [{ id: randomUUID(), body }]))
    }
    await sleep(1)
  }
  await Promise.all(writes)
  return sentUs
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n)

/** Finds when a user's n-th order was ranked: in the first commit that set their count to n or more. */
function histogramOf(sentUs: readonly number[], ranked: readonly Ranked[], from: number): RecordableHistogram {
  const histogram = createHistogram({ figures: 3 }) // an HDR histogram
  const rankedUs = new Map<string, number>()
  for (const [user, count, atUs] of ranked) rankedUs.set(`${user}/${count}`, atUs)
  for (const [at, sent] of sentUs.entries()) {
    const done = rankedUs.get(`user_${at % users}/${Math.floor(at / users) + 1}`)
    if (done === undefined) throw new Error(`latency: order ${at} was not ranked`)
    if (at >= from) histogram.record(Math.max(1, done - sent))
  }
  return histogram
}
