import { expect, test } from 'vitest'
import type { Durability } from '../../../src/ingest/durability.ts'
import { openWriter } from '../../../src/ingest/writer.ts'
import { makeControlKeys, makePartitions } from '../../../src/keys.ts'
import { partitionFor } from '../../../src/partitions.ts'
import { wrap } from '../../support/envelopes.ts'
import { noObjects } from '../../support/received.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

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
    const writes = await openWriter(app, durability, noObjects).write(messages, () => {}, new AbortController().signal)
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
