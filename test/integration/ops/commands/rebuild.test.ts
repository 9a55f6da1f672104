import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { type Keys, makeKeys, makePartitions } from '../../../../src/keys.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readCounters } from '../../../../src/reads/counters.ts'
import { archiveFolder } from '../../../support/archive.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { until } from '../../../support/until.ts'
import { type Env, emptyRedis } from '../../../support/world.ts'

async function run(env: Env, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  await using command = runOrders(args, env)
  const { code } = await command.exit()
  return { code, out: command.stdout(), err: command.stderr() }
}

test('orders rebuild compares, asks before it flips, and undoes; orders backfill gives the calendar all', async (context) => {
  requireRealRedis(context)
  await using place = await emptyRedis()
  using folder = archiveFolder()
  const { redis, url } = place
  const env = { REDIS_URL: url, LOG_LEVEL: 'silent', LEDGER_BUCKETS: '64', BLOCK_MS: '20' }
  expect(await run(env, 'rebuild')).toMatchObject({ code: 1, err: expect.stringContaining('ARCHIVE_URL') })
  const archived = { ...env, ARCHIVE_URL: folder.url, ARCHIVE_SEGMENT_SECONDS: '1' }
  const stages = ['run', 'validate', 'archive', 'aggregate', 'leaderboard']
  const before = new Date()
  {
    await using running = runOrders(stages, { ...archived, LOG_LEVEL: 'info', CALENDAR: 'off' })
    await running.started()
    for (const at of [1, 2, 3]) {
      const body = JSON.stringify({ user_id: `u${at}`, order_id: 'o', order_value: at })
      await enqueue(redis, makeKeys(), [{ id: `m${at}`, body }])
    }
    await until('all to be ranked', async () => (await redis.zcard('leaderboard:spend')) === 3)
    const off = { ...archived, CALENDAR: 'off' }
    expect(await run(off, 'rebuild')).toMatchObject({ code: 0, out: expect.stringContaining('as the archive says') })
    for (const words of [
      ['--from', 'file:///no-archive'],
      ['--stages', 'archive'],
    ])
      expect(await run(off, 'rebuild', ...words)).toMatchObject({ code: 2, out: '' })
    await redis.hincrby('user:u1', 'total_spend_minor', 50)
    const differs = await run(off, 'rebuild', '--json')
    expect([differs.code, JSON.parse(differs.out)]).toMatchObject([
      1,
      { equal: false, keys: { users: { compared: 3, different: 1 } }, examples: [{ key: 'user:u1' }] },
    ])
    const kept = await redis.keys('rebuild:new:*')
    expect(kept.length).toBeGreaterThan(0)
    for (const words of [
      ['--until', before.toISOString()],
      ['--stages', 'leaderboard', '--from', folder.url],
    ])
      expect(await run(off, 'rebuild', ...words)).toMatchObject({ code: 2, err: expect.stringContaining('--drop') })
    expect(await redis.keys('rebuild:new:*')).toEqual(expect.arrayContaining(kept))
    expect(await run(off, 'rebuild', '--flip')).toMatchObject({ code: 2, err: expect.stringContaining('--yes') })
    expect(await redis.hget('user:u1', 'total_spend_minor')).toBe('150')
    const flipped = await run(off, 'rebuild', '--flip', '--keep', 'doubt', '--yes')
    expect(flipped).toMatchObject({ code: 0, out: expect.stringContaining('--undo doubt') })
    expect(await redis.hget('user:u1', 'total_spend_minor')).toBe('100')
    expect(await redis.ttl('rebuild:kept:doubt')).toBeGreaterThan(86_000)
    expect(await run(off, 'rebuild', '--undo', 'doubt', '--yes')).toMatchObject({ code: 0 })
    expect(await redis.hget('user:u1', 'total_spend_minor')).toBe('150')
    expect(await run(off, 'rebuild', '--flip', '--yes')).toMatchObject({ code: 0 })
    const early = await run(off, 'rebuild', '--until', before.toISOString(), '--json')
    expect(JSON.parse(early.out)).toEqual({
      until: before.toISOString(),
      users: 0,
      total_orders: 0,
      total_revenue: 0,
    })
    const now = await run(off, 'rebuild', '--until', new Date().toISOString(), '--json')
    expect(JSON.parse(now.out)).toMatchObject({ users: 3, total_orders: 3, total_revenue: 6 })
    expect(await run(off, 'rebuild', '--drop')).toMatchObject({ code: 0 })
    expect(await redis.keys('*rebuild:*')).toEqual([])
  }
  await using running = runOrders([...stages, 'calendar'], { ...archived, LOG_LEVEL: 'info' })
  await running.started()
  await until('the calendar to have missed some', async () => {
    return (await redis.hget('pipeline:counters', 'calendar:missed')) === '3'
  })
  const filled = await run(archived, 'backfill', 'calendar', '--yes', '--json')
  expect([filled.err, JSON.parse(filled.out)]).toEqual(['', { stage: 'calendar', added: 3, missed: 0 }])
  expect(await run(archived, 'verify', '--deep')).toMatchObject({ code: 0, err: '' })
  expect(await run(archived, 'backfill', 'aggregate', '--yes')).toMatchObject({ code: 2 })
  expect(await run(archived, 'backfill', 'leaderboard', '--yes')).toMatchObject({ code: 2 })
  const audit = await run(archived, 'audit', '--json')
  expect(audit.out).toContain('"backfill"')
})

test('numbers are as the archive says after an erasure and after a repartition', async (context) => {
  requireRealRedis(context)
  await using place = await emptyRedis()
  using folder = archiveFolder()
  const { redis, url } = place
  const env = { REDIS_URL: url, LOG_LEVEL: 'silent', LEDGER_BUCKETS: '64', BLOCK_MS: '20', ARCHIVE_URL: folder.url }
  const stages = ['run', 'validate', 'archive', 'aggregate', 'leaderboard', 'calendar']
  const started = async (more: Env = {}) => {
    const running = runOrders(stages, { ...env, ...more, LOG_LEVEL: 'info', ARCHIVE_SEGMENT_SECONDS: '1' })
    await running.started()
    return running
  }
  const send = async (partitions: readonly Keys[], from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at++) {
      const user_id = `u${at % 5}`
      const order = { user_id, order_id: `o${at}` }
      const records = [{ id: `m${at}`, body: JSON.stringify({ ...order, order_value: at }) }]
      if (at % 3 === 0) records.push({ id: `c${at}`, body: JSON.stringify({ ...order, event: 'order.cancelled' }) })
      await enqueue(redis, partitionFor(partitions, user_id), records)
    }
  }
  const ranked = (partitions: readonly Keys[], orders: number) =>
    until('all to be ranked', async () => {
      const counters = await readCounters(redis, partitions)
      return ['ranked', 'dated', 'archived'].every((name) => counters[name] === orders)
    })
  const right = { code: 0, err: '', out: expect.stringContaining('as the archive says') }
  {
    await using running = await started()
    await send(makePartitions(undefined), 0, 30)
    await ranked(makePartitions(undefined), 40)
    expect(await run(env, 'rebuild', '--until', new Date().toISOString())).toMatchObject({ code: 0 })
    expect(await run(env, 'erase', 'u1', '--yes')).toMatchObject({ code: 0 })
    expect(await run(env, 'rebuild')).toMatchObject(right)
    await running.stop()
  }
  expect(await run(env, 'repartition', '--to', '2')).toMatchObject({ code: 0 })
  const partitioned = { ...env, PARTITIONS: '2' }
  await using _ = await started({ PARTITIONS: '2' })
  await send(makePartitions(2), 32, 36)
  await until('all to be received', async () => ((await readCounters(redis, makePartitions(2)))['received'] ?? 0) >= 45)
  expect(await run(partitioned, 'rebuild')).toMatchObject(right)
  expect(await run(partitioned, 'verify', '--deep')).toMatchObject({ code: 0 })
})
