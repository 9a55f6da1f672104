import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { makeControlKeys, makePartitions, manifestKey } from '../../../../src/keys.ts'
import { moveErased } from '../../../../src/ops/repartition/move-erased.ts'
import { moveUsers } from '../../../../src/ops/repartition/move-users.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { readUserStats } from '../../../../src/stages/aggregate.ts'
import { erase } from '../../../../src/stages/erasure/erase.ts'
import { accountOf, readErasures } from '../../../../src/stages/erasure/erasures.ts'
import { sumBy } from '../../../../src/sums.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const { signal } = new AbortController()
const options = { by: 'ann', timeoutMs: 20_000 }
const nothing = async (): Promise<void> => {}

test('a repartition brings erased users to every partition, and the accounts with what they have to theirs', async () => {
  await using world = await emptyRedis()
  const [from, to] = [makePartitions(4), makePartitions(3)]
  const keys = from[0] as PartitionScope['keys']
  const app = appOn(world.redis, undefined, { partitions: from, control: makeControlKeys(from), keys })
  await using queues = openQueues(app.redis)
  const users = Array.from({ length: 12 }, (_, at) => `person ${at}`)
  for (const user of users) {
    const own = partitionFor(from, user)
    await app.redis.hset(own.userStats(user), { order_count: 1, total_spend_minor: 200 })
    expect(await erase({ app, queues, openDurable }, user, options, signal)).toMatchObject({
      complete: true,
      moved: { orders: 1 },
    })
  }
  const accounts = [...new Set(users.map((user) => accountOf(partitionFor(from, user))))]
  const move = { ...app, from, to, alive: nothing, durable: nothing }
  await moveErased(move)
  while ((await moveUsers(move)) > 0);
  const totals = await Promise.all(accounts.map((account) => readUserStats(app.redis, to, account)))
  expect([sumBy(totals, ({ orders }) => orders), sumBy(totals, ({ minor }) => minor)]).toEqual([12, 2_400])
  for (const keys of to) {
    const erasures = await readErasures(app.redis, keys)
    expect(users.filter((user) => !erasures.has(user))).toEqual([])
    expect(erasures.has('another')).toBe(false)
  }
})

test('a repartition that was killed must end before a user is erased', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await using queues = openQueues(app.redis)
  await world.redis.hset(manifestKey, 'REPARTITION', '{}')
  await expect(erase({ app, queues, openDurable }, 'person', options, signal)).rejects.toThrow(
    'A repartition is under way',
  )
  expect(await world.redis.exists(app.keys.erased)).toBe(0)
})
