import { once } from 'node:events'
import type { Message } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import type { Gate } from '../../../src/ingest/backpressure.ts'
import type { Durability } from '../../../src/ingest/durability.ts'
import { openWriter } from '../../../src/ingest/writer.ts'
import { makeControlKeys, makePartitions } from '../../../src/keys.ts'
import { partitionFor } from '../../../src/partitions.ts'
import { wrap } from '../../support/envelopes.ts'
import { joined } from '../../support/many.ts'
import { noObjects } from '../../support/received.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const { signal } = new AbortController()
const openGate: Gate = { pass: async () => {} }

const durability: Durability = {
  settleMs: 0,
  incarnation: ({ partition }) => `of ${partition}`,
  confirm: async () => '',
  [Symbol.dispose]: () => {},
}

for (const count of [undefined, 3]) {
  test(`each message, in an envelope or not, is written to the partition of its user, one without a user to the first, of ${count ?? 1}`, async () => {
    await using world = await emptyRedis()
    const { redis } = world
    const partitions = makePartitions(count)
    const app = appOn(redis, undefined, { partitions, control: makeControlKeys(partitions) })
    const users = Array.from({ length: 12 }, (_, at) => `user_${at}`)
    const messages = [
      ...users.map((user_id, at) => {
        const order = JSON.stringify({ user_id, order_id: 'o' })
        return { MessageId: user_id, Body: at % 2 === 0 ? order : wrap('sns', order) }
      }),
      { MessageId: 'without a user', Body: 'no JSON' },
    ]
    const writes = await openWriter(app, durability, noObjects, openGate).write(
      messages,
      () => {},
      new AbortController().signal,
    )
    const written = await Promise.all(
      partitions.map(async (keys) => {
        const entries = await redis.xrange(keys.stream('raw'), '-', '+')
        return entries.flatMap(([, fields]) => JSON.parse(fields[fields.indexOf('r') + 1] ?? ''))
      }),
    )
    const owned = partitions.map((keys, at) => [
      ...users.filter((userId) => partitionFor(partitions, userId) === keys),
      ...(at === 0 ? ['without a user'] : []),
    ])
    expect(owned.every(({ length }) => length > 0)).toBe(true)
    expect(written.map((records) => records.map(({ id }: { id: string }) => id))).toEqual(owned)
    expect(new Set(writes)).toEqual(new Set(partitions.map((keys) => ({ keys, incarnation: `of ${keys.partition}` }))))
  })
}

test('a body of many orders is written in pieces of 100, each counted, and waits where Redis holds enough', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ ORDERS_PER_BODY: 'many' }))
  const text = joined(
    'lines',
    Array.from({ length: 250 }, (_, at) => JSON.stringify({ user_id: 'u', order_id: at })),
  )
  const written: { messages: number; orders: number; messageIds: readonly string[] }[] = []
  app.telemetry.on('enqueued', (fields) => void written.push(fields))
  const closed = Promise.withResolvers<void>()
  const passes: number[] = []
  const gate: Gate = {
    pass: async () => {
      passes.push(await received())
      if (passes.length === 2) await closed.promise
    },
  }
  const received = async (): Promise<number> => Number(await world.redis.hget('pipeline:counters', 'received'))
  const writer = openWriter(app, durability, noObjects, gate)
  let ticks = 0
  const tick = (): void => void ticks++
  const writing = writer.write([{ MessageId: 'm', Body: text }], tick, new AbortController().signal)
  await until('the gate to be reached again', () => passes.length === 2)
  expect(await received()).toBe(200)
  closed.resolve()
  expect(await writing).toHaveLength(3)
  expect(passes).toEqual([100, 200])
  expect(ticks).toBe(2)
  expect(await received()).toBe(250)
  const of = { messages: 1, messageIds: ['m'] }
  expect(written).toMatchObject([
    { ...of, orders: 100 },
    { ...of, orders: 100 },
    { ...of, orders: 50 },
  ])
  const entries = await world.redis.xrange('orders:raw', '-', '+')
  expect(entries.map(([, fields]) => fields[1])).toEqual(['100', '100', '50'])
})

test('a bridge that stops writes what it has of a body, unless Redis holds enough', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ ORDERS_PER_BODY: 'many' }))
  const text = joined(
    'list',
    Array.from({ length: 300 }, (_, at) => `{"order_id":${at}}`),
  )
  const stop = new AbortController()
  const closed: Gate = { pass: (_, signal) => once(signal, 'abort').then(() => signal.throwIfAborted()) }
  const writer = openWriter(app, durability, noObjects, closed)
  const tick = (): void => stop.abort()
  expect(await writer.write([{ Body: text }], tick, stop.signal)).toHaveLength(3)
  await expect(writer.write([{ Body: text }], () => {}, AbortSignal.timeout(200))).rejects.toThrow('timeout')
  expect(await world.redis.hget('pipeline:counters', 'received')).toBe('400')
})

test('a poller keeps a body of many orders while Redis does not say how much it holds', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ ORDERS_PER_BODY: 'many' }))
  const text = joined(
    'lines',
    Array.from({ length: 250 }, (_, at) => JSON.stringify({ user_id: 'u', order_id: at })),
  )
  const errors = [new Error('LOADING Redis is loading the dataset in memory')]
  const gate: Gate = {
    pass: async () => {
      for (const error of errors.splice(0)) throw error
    },
  }
  await openWriter(app, durability, noObjects, gate).write([{ MessageId: 'm', Body: text }], () => {}, signal)
  expect(await world.redis.hget('pipeline:counters', 'received')).toBe('250')
})

test('large bodies go into several writes: what many pollers bring would be too long for one', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  const orders: number[] = []
  app.telemetry.on('enqueued', (fields) => void orders.push(fields.orders))
  const writer = openWriter(app, durability, noObjects, openGate)
  const receive = (poller: number): Message[] =>
    Array.from({ length: 5 }, (_, at) => ({ MessageId: `${poller} ${at}`, Body: 'x'.repeat(1_000_000) }))
  await Promise.all([0, 1, 2, 3].map((poller) => writer.write(receive(poller), () => {}, signal)))
  expect(orders).toEqual([5, 5, 5, 5])
})
