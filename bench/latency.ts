import { randomUUID } from 'node:crypto'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../src/config/config.ts'
import { enqueue } from '../src/ingest/enqueue.ts'
import type { Keys } from '../src/keys.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { cpuMeter, fixed, median, type Options, openRedisServer, table } from './harness.ts'
import type { LatencyReport, LatencyTask } from './latency-worker.ts'
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
  const { ranked, cpu } = await measureLatency(rate, { profile })
  const ms = (us: number): number => fixed(us / 1_000, 2)
  return { p50: ms(ranked.percentile(50)), p99: ms(ranked.percentile(99)), max: ms(ranked.max), cpu }
}

/** Times of orders in µs, from the call of enqueue() to the reply of the commit of leaderboard and of validate. */
export interface Latency {
  readonly ranked: RecordableHistogram
  readonly validated: RecordableHistogram
  readonly cpu: Readonly<Record<string, number>>
  /** When the last of them was sent, in Unix time. */
  readonly endSeconds: number
  /** For so long they were sent, after a warm-up. */
  readonly seconds: number
}

/** @param metricsPort where the stages serve their metrics meanwhile, and a second longer */
export async function measureLatency(
  rate: number,
  { profile = false, metricsPort }: { profile?: boolean; metricsPort?: number },
): Promise<Latency> {
  await using server = await openRedisServer()
  const worker = startWorker<LatencyTask, LatencyReport>('./latency-worker.ts', `latency-${rate}`, profile)
  await worker.round({ do: 'start', url: server.url, metricsPort })
  const meter = cpuMeter({ redis: server.pid(), node: worker.pid })
  const sent = await send(server.url, rate)
  const endSeconds = Date.now() / 1_000
  const used = meter()
  await sleep(scrapedMs)
  const report = await worker.round({ do: 'report' })
  await worker.end()
  const spent = (warmUpSeconds + seconds) * 10
  const cpu = Object.fromEntries(Object.entries(used).map(([name, used]) => [name, Math.round(used / spent)]))
  const measured = sent.slice(rate * warmUpSeconds)
  const [ranked, validated] = [rankedUs(report), new Map(report.validated)]
  return {
    ranked: histogramOf(measured, ({ at }) => ranked.get(`user_${at % users}/${Math.floor(at / users) + 1}`)),
    validated: histogramOf(measured, ({ entryId }) => validated.get(entryId)),
    ...{ cpu, endSeconds, seconds },
  }
}

/** The last orders are ranked, and scraped, by then. */
const scrapedMs = 1_500

interface Sent {
  readonly at: number
  readonly sentUs: number
  readonly entryId: string
}

/** Sends at a fixed rate, whether the pipeline keeps up or not. */
async function send(url: string, rate: number): Promise<Sent[]> {
  await using app = await openApp(readConfig({ REDIS_URL: url, LOG_LEVEL: 'silent' }))
  const total = rate * (warmUpSeconds + seconds)
  const orders = benchOrders(total).map(({ body }, at) => withUser(body, `user_${at % users}`))
  const sent: Promise<Sent>[] = []
  const sendOne = async (at: number): Promise<Sent> => {
    const [sentUs, sentMs] = [nowUs(), Date.now()]
    const record = { id: randomUUID(), body: orders[at] ?? '' }
    const [entryId = ''] = await enqueue(app.redis, app.partitions[0] as Keys, [record], { sentMs })
    return { at, sentUs, entryId }
  }
  const started = performance.now()
  while (sent.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) * rate) / 1_000))
    while (sent.length < due) sent.push(sendOne(sent.length))
    await sleep(1)
  }
  return Promise.all(sent)
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n)

/** Finds when a user's n-th order was ranked. */
const rankedUs = ({ ranked }: LatencyReport): Map<string, number> =>
  new Map(ranked.map(([user, count, atUs]) => [`${user}/${count}`, atUs]))

/** @param sent those after the warm-up; `doneUs` returns when an order was done, in µs of the machine's clock */
function histogramOf(sent: readonly Sent[], doneUs: (one: Sent) => number | undefined): RecordableHistogram {
  const histogram = createHistogram({ figures: 3 }) // an HDR histogram
  for (const one of sent) {
    const done = doneUs(one)
    if (done === undefined) throw new Error(`latency: order ${one.at} was not ranked`)
    histogram.record(Math.max(1, done - one.sentUs))
  }
  return histogram
}
