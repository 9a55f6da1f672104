import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { type Keys, makePartitions } from '../../../../src/keys.ts'
import { requireFinished } from '../../../../src/ops/repartition/clear.ts'
import { recordIn } from '../../../../src/ops/repartition/copy-invalid.ts'
import type { Move } from '../../../../src/ops/repartition/move.ts'
import { buildInvalid, lengthsOf, swapInvalid } from '../../../../src/ops/repartition/move-invalid.ts'
import { moveLedger, readLedgerCounts, writeLedgerCounts } from '../../../../src/ops/repartition/move-ledger.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { generationSeconds, ledgerRecord, orderLine } from '../../../../src/stages/runner/ledger.ts'
import { maxRequest } from '../../../support/arguments.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

function moveOn(redis: Redis, from: number, to: number): Move {
  const nothing = async (): Promise<void> => {}
  const partitions = { from: makePartitions(from), to: makePartitions(to) }
  return { ...appOn(redis), ...partitions, alive: nothing, durable: nothing }
}

const users = Array.from({ length: 30 }, (_, at) => `user_${at}`)

test('each record of the ledger moves to the partition of its user, and the counts follow; lost ones stay in the first', async () => {
  await using world = await emptyRedis()
  const move = moveOn(world.redis, 2, 3)
  const { redis, config, from, to } = move
  const generation = Math.floor(Date.now() / 1_000 / generationSeconds(config))
  const recordOf = (userId: string, keys = partitionFor(from, userId)) =>
    ledgerRecord(orderLine({ userId, orderId: 'o', fingerprint: 'abcdef', minor: 5 }), {
      keys,
      buckets: config.ledgerBuckets,
      generation,
    })
  for (const userId of users) {
    const { current, field, value } = recordOf(userId)
    await redis.hset(current, field, value)
    await redis.expire(current, 3_600)
  }
  while ((await moveLedger(move)) > 0);
  let found = 0
  for (const key of await world.redis.keys('*ledger:*')) found += await redis.hlen(key)
  expect(found).toBe(users.length)
  for (const userId of users) {
    const { current, field, value } = recordOf(userId, partitionFor(to, userId))
    expect(await redis.hget(current, field)).toBe(value)
    expect(await redis.ttl(current)).toBeGreaterThan(0)
  }

  const totals = { [generation]: users.length + 2, [generation - 1]: 1 }
  await writeLedgerCounts(move, totals)
  expect(await readLedgerCounts(redis, to)).toEqual(Object.fromEntries(Object.entries(totals)))
  const owned = to.map((keys) => users.filter((userId) => partitionFor(to, userId) === keys).length)
  const counts = await Promise.all(to.map(({ ledgerCounts }) => redis.hget(ledgerCounts, String(generation))))
  expect(counts.map(Number)).toEqual([(owned[0] ?? 0) + 2, ...owned.slice(1)])
})

test('a bucket of more records than a request may have arguments moves as a whole', async () => {
  await using world = await emptyRedis()
  const move = moveOn(world.redis, 1, 2)
  const { redis, config, from, to } = move
  const generation = Math.floor(Date.now() / 1_000 / generationSeconds(config))
  const userId = users.find((user) => partitionFor(to, user) === to[1]) ?? ''
  const records = Array.from({ length: 5_000 }, (_, at) => {
    const identity = { userId, orderId: `o${at}`, fingerprint: 'abcdef', minor: 5 }
    return ledgerRecord(orderLine(identity), { keys: from[0] as Keys, buckets: 1, generation })
  })
  const fields = Object.fromEntries(records.map(({ field, value }) => [field, value]))
  await redis.hset(records[0]?.current ?? '', fields)
  const longest = maxRequest(redis)
  while ((await moveLedger(move)) > 0);
  expect(longest()).toBeLessThanOrEqual(3_999)
  expect(await redis.hgetall((to[1] as Keys).ledger(generation, 0))).toEqual(fields)
  expect(await redis.exists(records[0]?.current ?? '')).toBe(0)
})

test('rejected and discarded orders move to the partitions of their users, in order', async () => {
  await using world = await emptyRedis()
  const move = moveOn(world.redis, 2, 3)
  const { redis, from, to } = move
  const all: { id: string; userId: string }[] = []
  // More than a page of each.
  for (let at = 0; at < 70; at++) {
    const userId = users[at % users.length] ?? ''
    const keys = partitionFor(from, userId)
    const order = { user_id: userId, order_id: `o${at}`, order_value: -1 }
    const reason = 'order_value must be between 0 and 1000000000'
    const record = JSON.stringify({ order, code: 'bad-value', reason, ts: '2026-11-23T10:00:00.000Z', attempts: 1 })
    const id = `${1_000 + at}-${keys.partition}`
    await redis.xadd(keys.invalid, id, 'code', 'bad-value', 'record', record)
    await redis.xadd(keys.discarded, id, 'record', record)
    all.push({ id, userId })
  }
  const lengths = await lengthsOf(redis, from)
  expect(lengths).toEqual({ invalid: 70, discarded: 70 })
  await buildInvalid(move)
  expect(await lengthsOf(redis, to, true)).toEqual(lengths)
  // Older orders come in front of a cursor of retries: it begins again.
  for (const keys of to) await redis.hset(keys.retries, 'unknown-order 1', '2000-0')
  await swapInvalid(move)
  for (const keys of to) {
    expect(await redis.exists(keys.retries)).toBe(0)
    const ids = all.filter(({ userId }) => partitionFor(to, userId) === keys).map(({ id }) => id)
    for (const stream of [keys.invalid, keys.discarded]) {
      expect((await redis.xrange(stream, '-', '+')).map(([id]) => id)).toEqual(ids)
    }
    expect(await redis.zrange(keys.invalidGroup('bad-value:range'), '0', '-1')).toHaveLength(ids.length)
  }
})

test('orders that two partitions have discarded under the same id are both kept', async () => {
  await using world = await emptyRedis()
  const move = moveOn(world.redis, 2, 1)
  const [target] = move.to
  const records = move.from.map(({ discarded, partition }) => {
    const record = JSON.stringify({ order: { user_id: `user_${partition}` }, code: 'bad-value' })
    return { discarded, record }
  })
  for (const { discarded, record } of records) await move.redis.xadd(discarded, '1-1', 'record', record)
  await buildInvalid(move)
  await swapInvalid(move)
  const kept = (await move.redis.xrange(target?.discarded ?? '', '-', '+')).map(([, fields]) => fields[1])
  expect(kept.toSorted()).toEqual(records.map(({ record }) => record).toSorted())
})

test('the record of an entry is the value of its first field of that name', () => {
  expect(recordIn(['code', 'conflict', 'record', '{}'])).toBe('{}')
  expect(recordIn(['record', '{"a":1}', 'record', '{"b":1}'])).toBe('{"a":1}')
  expect(recordIn(['code', 'record', 'record', '{}'])).toBe('{}')
  expect(recordIn(['code', 'record'])).toBe('')
})

test('a stream is finished when its stage has committed every entry, on every page', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const { redis, keys, pipeline } = app
  await requireFinished(app, keys)
  const { name, from } = pipeline.first
  const add = redis.pipeline()
  for (let at = 1; at <= 2_001; at++) {
    add.xadd(keys.stream(from), `${at}-0`, 'n', 1)
    add.zadd(keys.committed(name), at, `${at}-0`)
  }
  await add.exec()
  await requireFinished(app, keys)
  for (const id of ['1-0', '1001-0', '2001-0']) {
    await redis.zrem(keys.committed(name), id)
    await expect(requireFinished(app, keys)).rejects.toThrow(`holds entries that stage ${name} has not committed`)
    await redis.zadd(keys.committed(name), Number.parseInt(id, 10), id)
  }
})
