import type { Redis } from 'ioredis'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Snapshot } from '../../../src/api/live/snapshot.ts'
import { openApi } from '../../../src/api/server.ts'
import { readConfig } from '../../../src/config/config.ts'
import { enqueue } from '../../../src/ingest/enqueue.ts'
import { keyTypes } from '../../../src/ops/checks/key-types.ts'
import { statusLines } from '../../../src/ops/commands/inspect/status.ts'
import { textOf } from '../../../src/ops/terminal/output.ts'
import { readStatus } from '../../../src/reads/status.ts'
import { slotMs } from '../../../src/reads/timeline.ts'
import { typeOfKey } from '../../../src/redis/key-types.ts'
import type { Stage } from '../../../src/stages/placed.ts'
import { ensureGroups } from '../../../src/stages/runner/groups.ts'
import { runStage } from '../../../src/stages/runner/run.ts'
import { scrape } from '../../support/exposition.ts'
import { requireRealRedis } from '../../support/requires.ts'
import { runOrders } from '../../support/run-orders.ts'
import { aggregate, calendar, leaderboard, validate, withCalendar } from '../../support/stages.ts'
import { appOn, emptyRedis, envOf } from '../../support/world.ts'

/** Gives a key another type than its own, before whatever is sent next on this connection. */
async function spoil(redis: Redis, key: string): Promise<void> {
  const emptied = redis.del(key)
  await (key === 'invalid_orders' ? redis.set(key, 'foreign') : redis.rpush(key, 'foreign'))
  await emptied
}

/** Reads what is reported of a system with that key spoilt. */
async function reportOf(key: string) {
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis, readConfig({ REDIS_URL: world.url, API_PORT: '0', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }))
  await ensureGroups(app)
  if (key !== '') await spoil(redis, key)
  const logged: unknown[] = []
  app.telemetry.on('readingFailed', (fields) => logged.push(fields))
  await using server = await openApi(app)
  const { samples } = await scrape(server.url)
  const ofPipeline = samples.filter(({ name }) => /^orders_(?!http|reading)/.test(name))
  const snapshot = (await (await fetch(`${server.url}/live/snapshot`)).json()) as Snapshot
  const integrity = (await (await fetch(`${server.url}/integrity`)).json()) as { status?: number; unread: string[] }
  return {
    series: ofPipeline.map(({ name, labels }) => `${name} ${Object.values(labels).join()}`.trim()),
    failing: samples
      .filter(({ name, value }) => name === 'orders_reading_failing' && value === 1)
      .map(({ labels }) => labels['reading']),
    logged,
    unread: snapshot.unread,
    snapshot,
    integrity,
    status: textOf(statusLines(await readStatus(redis, app), app.format.money)),
    doctor: await keyTypes(app, { all: true }),
  }
}

const ofStage = (stage: string): string[] =>
  [
    'orders_pending_entries',
    'orders_oldest_pending_age_seconds',
    'orders_oldest_waiting_age_seconds',
    'orders_unaccounted',
  ].map((name) => `${name} ${stage}`)
const slot = Math.floor(Date.now() / slotMs)

/** Per key: what metrics cannot read next to `keys`, the series that are absent (or begin so), what the snapshot cannot read. */
const cases: [key: string, readings: string[], absent: string[], unread: string[]][] = [
  ['orders:raw', ['stream of validate', 'books'], ofStage('validate'), ['stream of validate', 'books']],
  ['orders:valid', ['stream of aggregate', 'books'], ofStage('aggregate'), ['stream of aggregate', 'books']],
  ['orders:counted', ['stream of leaderboard', 'books'], ofStage('leaderboard'), ['stream of leaderboard', 'books']],
  ['orders:invalid', ['books'], [], ['books']],
  ['invalid_orders', ['invalid channel', 'books'], ['orders_invalid'], ['invalid channel', 'books']],
  ['invalid:bad-value:range', ['books'], [], ['failed orders', 'books']],
  ['orders:discarded', [], [], []],
  ['global:stats', ['global stats', 'books'], [], ['global stats', 'books']],
  ['leaderboard:spend', [], [], ['leaderboard of spend']],
  ['leaderboard:orders', [], [], ['leaderboard of orders']],
  ['pipeline:compared', [], [], []],
  [
    'pipeline:counters',
    ['counters', 'books'],
    ['orders_booked', 'orders_rejected', 'orders_corrected', 'orders_waiting', 'orders_unaccounted'],
    ['counters', 'books'],
  ],
  ['pipeline:pauses', ['paused'], ['orders_paused'], ['paused']],
  ['pipeline:audit', [], [], []],
  ['pipeline:layout', [], [], []],
  ['pipeline:members:validate', [], [], []],
  ['pipeline:leases:validate', [], [], []],
  ['pipeline:manifest', [], [], []],
  ['pipeline:repartition', [], [], []],
]
/** Keys without number: doctor looks for them. */
const numberless: [key: string, unread: string[]][] = [
  ['user:bob', []],
  ['ledger:1:7', []],
  ['outcome:job-1', []],
  [`pipeline:timeline:${slot}`, ['timeline']],
]

describe('a key of another type hides what it holds and nothing else, and every place names it:', () => {
  let sound: Awaited<ReturnType<typeof reportOf>>
  beforeAll(async () => {
    sound = await reportOf('')
  })

  test('none', (context) => {
    requireRealRedis(context)
    expect(sound).toMatchObject({ failing: [], logged: [], unread: [], doctor: [{ level: 'ok' }] })
    expect(sound.integrity.unread).toEqual([])
  })

  test.each(cases)('%s', async (key, readings, absent, unread) => {
    const reported = await reportOf(key)
    expect(reported.doctor).toMatchObject([{ check: 'key types', level: 'error' }])
    expect(reported.doctor[0]?.found).toMatch(
      new RegExp(`^${key} is a (list|string), not a (hash|list|stream|string|zset)$`),
    )
    expect(reported.doctor[0]?.advice).toContain(`RENAME ${key} foreign:${key}`)
    expect(reported.failing.toSorted()).toEqual([...readings, 'keys'].sort())
    expect(reported.logged).toHaveLength(readings.length + 1)
    for (const { error } of reported.logged as { error: string }[]) expect(error).toContain(key)
    const gone = sound.series.filter((one) => !reported.series.includes(one))
    expect(gone).toEqual(
      sound.series.filter((one) =>
        absent.some((begin) => one === begin || one.startsWith(`${begin}_`) || one.startsWith(`${begin} `)),
      ),
    )
    expect(reported.unread.map(({ reading }) => reading).sort()).toEqual(unread.toSorted())
    for (const { why } of reported.unread) expect(why).toContain(key)
    expect(reported.integrity.unread.join()).toMatch(readings.includes('books') ? key : /^$/)
    const inStatus = readings.filter((reading) => reading !== 'books')
    for (const reading of inStatus) expect(reported.status).toMatch(new RegExp(`Cannot read ${reading}: .*${key}`))
    expect(reported.status.includes('Cannot read')).toBe(inStatus.length > 0)
  })

  test.each(numberless)('%s', async (key, unread) => {
    const reported = await reportOf(key)
    expect(reported.doctor).toMatchObject([{ level: 'error', found: `${key} is a list, not a hash` }])
    expect(reported.doctor[0]?.advice).toContain(`RENAME ${key} foreign:${key}`)
    expect(typeOfKey(`foreign:${key}`)).toBeUndefined() // moved there, it is not reported again
    expect(reported.series).toEqual(sound.series)
    expect(reported.unread.map(({ reading }) => reading)).toEqual(unread)
    for (const { why } of reported.unread) expect(why).toContain(key)
  })
})

test('orders doctor ends with exit code 1, names key and types, and says what to do; a start warns and goes on', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  await world.redis.set('global:stats', 'foreign')
  await world.redis.hset('user:u', { order_count: 1, total_spend_minor: 100 })
  await world.redis.hset('pipeline:counters', { received: 1, admitted: 1, applied: 1, ranked: 1 })
  for (const [board, score] of Object.entries({ spend: 100, orders: 1 })) {
    await world.redis.zadd(`leaderboard:${board}`, score, 'u')
  }
  const env = envOf(world.url, undefined, { SQS_DELETE_AFTER: 'write', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' })
  await using doctor = runOrders(['doctor'], env)
  expect(await doctor.exit()).toMatchObject({ code: 1 })
  expect(doctor.stdout()).toMatch(
    /error +key types +global:stats is a string, not a hash\n +→ Another client wrote it: move it out of the way \(RENAME global:stats foreign:global:stats\), then run orders verify --repair, which rebuilds it from the users' totals\.\n/,
  )
  await using status = runOrders(['status'], env)
  expect(await status.exit()).toMatchObject({ code: 0 })
  expect(status.stdout()).toContain('counted  ? orders, ? revenue; 1 ranked')
  await using stages = runOrders(['run', 'aggregate'], env)
  await stages.started()
  expect(stages.events('checkWarned')).toMatchObject([
    { check: 'key types', found: 'global:stats is a string, not a hash' },
  ])
  await using verify = runOrders(['verify', '--repair'], env)
  expect(await verify.exit()).toMatchObject({ code: 1 })
  expect(verify.stderr()).toBe(
    'global:stats is a string, not a hash: it cannot be read, see orders doctor. Nothing is repaired: fix that first.\n',
  )
  await world.redis.rename('global:stats', 'foreign:global:stats')
  await using again = runOrders(['verify', '--repair'], env)
  expect(await again.exit()).toMatchObject({ code: 0 })
  expect(await world.redis.hgetall('global:stats')).toEqual({ total_orders: '1', total_revenue_minor: '100' })
})

test('where the user may not look at types, the doctor says so, and that is no error', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const user = `looker-${process.env['VITEST_POOL_ID'] ?? 1}`
  await world.redis.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@all', '-scan')
  const redis = world.redis.duplicate({ username: user, password: 'secret' })
  expect(await keyTypes(appOn(redis), { all: true })).toMatchObject([{ level: 'warning', found: 'cannot be read' }])
  redis.disconnect()
  await world.redis.call('ACL', 'DELUSER', user)
})

const today = new Date().toISOString().slice(0, 10)
const month = today.slice(0, 7)

/** The keys that the commit of each stage uses. */
const used: [stage: Stage, keys: string[]][] = [
  [validate, ['orders:raw', 'orders:valid', 'pipeline:counters', 'orders:invalid', 'invalid_orders']],
  [validate, ['invalid:missing-field:user_id', 'ledger', 'outcome:t']],
  [validate, ['pipeline:stages', 'pipeline:committed:validate', 'pipeline:ledger-counts']],
  [calendar, ['orders:valid', `day:${today}`, `monthly:${month}:u`, `leaderboard:${today}:orders`]],
  [calendar, [`leaderboard:${month}:spend`, 'pipeline:committed:calendar']],
  [aggregate, ['orders:valid', 'orders:counted', 'pipeline:counters', 'user:u', 'global:stats']],
  [leaderboard, ['user:u', 'orders:counted', 'pipeline:counters', 'leaderboard:spend', 'leaderboard:orders']],
]

test.each(used.flatMap(([stage, keys]) => keys.map((key): [string, string, Stage] => [stage.name, key, stage])))(
  'a commit of %s that cannot use %s names it',
  async (_, name, stage) => {
    await using world = await emptyRedis()
    const { redis } = world
    const app = { ...appOn(redis, readConfig({ BLOCK_MS: '20', LEDGER_BUCKETS: '1' })), pipeline: withCalendar }
    await ensureGroups(app)
    const bodies = ['{"user_id":"u","order_id":"o","order_value":1}', '{"order_id":"o"}']
    await enqueue(
      redis,
      app.keys,
      bodies.map((body, at) => ({ id: `m${at}`, body, ...(at === 0 && { jobId: 't' }) })),
    )
    const generation = Math.floor(Date.now() / 1_000 / (app.config.ledgerDays * 86_400))
    const key = name === 'ledger' ? `ledger:${generation}:0` : name
    const stop = new AbortController()
    app.telemetry.on('planned', (planned) => {
      if (planned.stage === stage.name) void spoil(app.redis, key)
    })
    const stages = [validate, calendar, aggregate, leaderboard]
    const running = stages.map((one) => runStage(app, one, () => {}, stop.signal))
    const ended = Promise.allSettled(running)
    const failed = running[stages.indexOf(stage)]
    await expect(failed).rejects.toThrow(new RegExp(`^ORDERS ${key} .*cannot be used`))
    stop.abort()
    await ended
  },
)
