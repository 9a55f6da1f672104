import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Snapshot } from '../../src/api/live/snapshot.ts'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { spawnOrders } from '../support/process.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { emptyRedis, emptySqs, envOf } from '../support/world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The whole stage, as somebody would write it. */
const revenue = `
import { defineStage, hincrby, pass } from './stage.ts'

/** Revenue per day of the order's timestamp, in minor units. */
export const revenue = defineStage({
  name: 'revenue',
  from: 'valid',
  counts: 'booked',
  decide: ({ minor, order_timestamp }, keys) =>
    pass({ effects: [hincrby(keys.own('revenue', 'days'), order_timestamp?.slice(0, 10) ?? 'undated', minor)] }),
})
`

test('a fourth stage is one file and one word in the line', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'orders-stage-'))
  try {
    cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true })
    cpSync(join(root, 'package.json'), join(copy, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    writeFileSync(join(copy, 'src/stages/revenue.ts'), revenue)
    const line = join(copy, 'src/stages/pipeline.ts')
    const before = readFileSync(line, 'utf8')
    const after = before
      .replace('aggregate, leaderboard]', 'aggregate, leaderboard, revenue]')
      .replace('import type { Stage }', "import { revenue } from './revenue.ts'\nimport type { Stage }")
    expect(after.length - before.length).toBe(', revenue'.length + "import { revenue } from './revenue.ts'\n".length)
    writeFileSync(line, after)
    await runIt(join(copy, 'src/ops/orders.js'))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
})

async function runIt(entry: string): Promise<void> {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await using line = spawnOrders(['run', 'bridge', 'validate', 'aggregate', 'leaderboard'], env, { entry })
  await using own = spawnOrders(['run', 'revenue'], env, { entry })
  await Promise.all([line.started(), own.started()])

  const samples = [...sampleOrders({ valid: 1_000, invalid: 100, users: 20, seed: 4 })]
  await sendBodies(
    env,
    samples.map(({ body }) => body),
  )
  const expected = new Map<string, number>()
  for (const { body, valid } of samples) {
    if (!valid) continue
    const { order_timestamp, order_value } = JSON.parse(body) as { order_timestamp: string; order_value: number }
    const day = order_timestamp.slice(0, 10)
    expected.set(day, (expected.get(day) ?? 0) + Math.round(order_value * 100))
  }
  await until(
    'all to be booked and ranked',
    () => redis.redis.hgetall('pipeline:counters'),
    ({ booked, ranked }) => Number(booked) === 1_000 && Number(ranked) === 1_000,
  )
  const days = Object.entries(await redis.redis.hgetall('revenue:days'))
  expect(new Map(days.map(([day, minor]) => [day, Number(minor)]))).toEqual(expected)

  await using status = spawnOrders(['status', '--json'], env, { entry })
  await status.exit()
  expect(JSON.parse(status.stdout()).stages).toEqual(
    ['validate', 'aggregate', 'leaderboard', 'revenue'].map((stage) =>
      expect.objectContaining({ stage, waiting: 0, pending: 0, lag: 0 }),
    ),
  )
  await using tail = spawnOrders(['tail', '--json'], env, { entry })
  const [seen = ''] = await until(
    'a line of the tail',
    () => tail.stdout().split('\n'),
    ({ length }) => length > 1,
  )
  const hops = (JSON.parse(seen) as Snapshot).hops.map(({ name, after, waiting }) => [name, after, waiting])
  expect(hops).toContainEqual(['revenue', 'validate', 0])
  await until(
    'finished entries to be trimmed',
    () => redis.redis.xlen('orders:valid'),
    (entries) => entries === 0,
  )
}
