import { expect, test } from 'vitest'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { partitionFor } from '../../src/partitions.ts'
import { readInvalidEntry } from '../../src/stages/invalid/entry.ts'
import { discardEntry } from '../../src/stages/invalid/requeue.ts'
import { rejectBodies } from '../support/invalid.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { appOn, type Env, emptyRedis, envOf } from '../support/world.ts'

async function output(words: readonly string[], env: Env): Promise<string> {
  await using command = runOrders(words, env)
  const { code } = await command.exit()
  return `${code} ${command.stdout()}${command.stderr()}`
}

test('orders user shows totals, ranks, invalid and discarded orders of one user', async () => {
  await using world = await emptyRedis()
  const { redis } = world
  const env = envOf(world.url)
  const app = appOn(redis)
  expect(partitionFor(app.partitions, 'ann')).toBe(app.keys)
  const bad = (user: string, order: string): string => `{"user_id":"${user}","order_id":${order},"order_value":-1}`
  const ids = await rejectBodies(app, [bad('ann', '1'), bad('ann', '12345678901234567890'), bad('bob', '2')])
  const entry = await readInvalidEntry(redis, app.partitions, ids[0] ?? '')
  if (entry) await discardEntry(app, entry, { reason: 'a test', by: 'eve' })
  const body = (user: string, value: number): string =>
    JSON.stringify({ user_id: user, order_id: `${value}`, order_value: value })
  const records = [body('ann', 10.5), body('ann', 2), body('bob', 99)].map((body, at) => ({ id: `m${at}`, body }))
  await enqueue(redis, app.keys, records)
  await using running = runOrders(['run', 'validate', 'aggregate', 'leaderboard'], env)
  await running.started()
  const ranked = (): Promise<string | null> => redis.hget('pipeline:counters', 'ranked')
  await until('all to be ranked', ranked, (count) => count === '3')

  const shown = await output(['user', 'ann'], env)
  expect(shown).toMatch(
    /^0 user {7}ann\norders {5}2\nspend {6}12\.50\nby spend {3}rank 2 of 2\nby orders {2}rank 1 of 2\n\nInvalid/,
  )
  expect(shown).toMatch(
    new RegExp(`\\n${ids[1]} .*  12345678901234567890\\n\\nDiscarded .*\\n.*bad-value, by eve: a test\\n$`),
  )
  expect(shown.split('\n').filter((line) => line.length > 80)).toEqual([])
  const json = (await output(['user', 'ann', '--json'], env)).slice(2)
  expect(json).toContain('"order_id":12345678901234567890,')
  expect(JSON.parse(json)).toMatchObject({
    user_id: 'ann',
    order_count: 2,
    total_spend: 12.5,
    ranks: { spend: { rank: 2, users: 2 }, orders: { rank: 1, users: 2 } },
    invalid: [{ id: ids[1], code: 'bad-value' }],
    discarded: [{ by: 'eve', why: 'a test' }],
  })
  const other = await readInvalidEntry(redis, app.partitions, ids[1] ?? '')
  if (other) await discardEntry(app, other, { reason: 'another test', by: 'eve' })
  const few = await output(['user', 'ann', '--limit', '1'], env)
  expect(few).toMatch(
    /\n.*by eve: another test\nThere are more results in orders:discarded: only the newest are shown\.\n$/,
  )
  expect(few.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(await output(['user', 'unknown'], env)).toMatch(
    /orders {5}0\n.*\nby spend {3}not ranked\n.*\n\nNo invalid order\.\n$/,
  )
  expect(await output(['user'], env)).toMatch(/^2 orders user: expected one user_id/)
})
