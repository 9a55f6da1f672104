import { calendarOf } from '../src/calendar/calendar.ts'
import { readConfig } from '../src/config/config.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { formatOf } from '../src/order/format.ts'
import { ensureGroups } from '../src/stages/runner/groups.ts'
import { runStage } from '../src/stages/runner/run.ts'
import { cpuMeter, fixed, median, type Options, openRedisServer, table } from './harness.ts'

const orders = 60_000
const users = 20_000
const perEntry = 100
const stages = ['aggregate', 'leaderboard', 'calendar'] as const

/** Measures what each stage behind validate costs an order, with a backlog, and how quickly a time becomes a day. */
export async function calendar({ rounds, print }: Options): Promise<Record<string, unknown>> {
  const results = Object.fromEntries(stages.map((name) => [name, [] as { redis: number; node: number }[]]))
  const memory: number[] = []
  for (let round = 0; round < rounds; round++) await measure(results, memory)
  const rows = stages.map((name) => {
    const of = (part: 'redis' | 'node'): number => fixed(median((results[name] ?? []).map((one) => one[part])), 1)
    return { name, redis: of('redis'), node: of('node') }
  })
  print(
    `${orders} orders of ${users} users and 30 days, ${perEntry} an entry, one stage after the other, ${rounds} rounds`,
  )
  print(
    table(
      ['stage', 'µs of Redis an order', 'µs of Node an order'],
      rows.map((row) => [row.name, row.redis, row.node]),
    ),
  )
  const bytes = Math.round(median(memory))
  print(`The calendar takes ${bytes} bytes of Redis for each user and month, all periods included.`)
  const reading = readingCost()
  print(table(['a time becomes a day', 'ns'], Object.entries(reading)))
  return { stages: rows, bytesPerUserAndMonth: bytes, reading }
}

async function measure(results: Record<string, { redis: number; node: number }[]>, memory: number[]): Promise<void> {
  await using server = await openRedisServer()
  await using app = await openApp(
    readConfig({ REDIS_URL: server.url, LOG_LEVEL: 'silent', REPORT_TIMEZONE: 'Europe/Berlin' }),
  )
  const [keys] = app.partitions
  if (!keys) return
  const scope = { ...app, keys }
  await ensureGroups(scope)
  const from = Date.now() - 29 * 86_400_000
  for (let at = 0; at < orders; at += perEntry) {
    const records = Array.from({ length: perEntry }, (_, i) => ({
      user_id: `user_${(at + i) % users}`,
      order_id: `order-${at + i}`,
      minor: 1_000 + i,
      order_timestamp: new Date(from + (((at + i) * 7_919) % 2_400_000) * 1_000).toISOString(),
    }))
    await app.redis.xadd(keys.stream('valid'), '*', 'n', perEntry, 'c', 1, 'r', JSON.stringify(records))
  }
  for (const name of stages) {
    const stage = app.pipeline.stage(name)
    if (!stage) continue
    const used = async () => Number(/used_memory:(\d+)/.exec(await app.redis.info('memory'))?.[1])
    const before = await used()
    const meter = cpuMeter({ redis: server.pid(), node: process.pid })
    const stop = new AbortController()
    const running = runStage(scope, stage, () => {}, stop.signal)
    while (Number(await app.redis.hget(keys.counters, stage.counts)) < orders)
      await new Promise((resolve) => setTimeout(resolve, 20))
    const spent = meter()
    stop.abort()
    await running
    results[name]?.push({
      redis: (Number(spent['redis']) / orders) * 1_000,
      node: (Number(spent['node']) / orders) * 1_000,
    })
    if (name === 'calendar') {
      const months = await app.redis.eval("return #redis.call('KEYS', 'monthly:*')", 0)
      memory.push(((await used()) - before) / Number(months))
    }
  }
}

/** In ns, by the form of the time. */
function readingCost(): Record<string, number> {
  const { settings } = formatOf(readConfig({ REPORT_TIMEZONE: 'Europe/Berlin' })).calendar
  const { place } = calendarOf(settings)
  const nowMs = Date.parse('2026-11-30T12:00:00Z')
  const at = (i: number): number => nowMs - ((i * 7_919) % 2_000_000) * 1_000
  const forms: Record<string, (i: number) => string> = {
    'ISO 8601 with a zone': (i) => new Date(at(i)).toISOString(),
    'ISO 8601 without': (i) => new Date(at(i)).toISOString().slice(0, 19),
    'ms since 1970': (i) => String(at(i)),
    'RFC 2822': (i) => new Date(at(i)).toUTCString(),
  }
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: settings.zone })
  const costs = Object.entries(forms).map(([name, text]) => {
    const texts = Array.from({ length: 20_000 }, (_, i) => text(i))
    return [name, nsOf(texts, (one) => place(one, nowMs, nowMs))] as const
  })
  const dates = Array.from({ length: 20_000 }, (_, i) => at(i))
  return { ...Object.fromEntries(costs), 'Intl.DateTimeFormat alone': nsOf(dates, (ms) => format.format(ms)) }
}

function nsOf<T>(values: readonly T[], work: (value: T) => unknown): number {
  for (const value of values) work(value)
  const from = performance.now()
  for (let round = 0; round < 5; round++) for (const value of values) work(value)
  return Math.round(((performance.now() - from) * 1e6) / (5 * values.length))
}
