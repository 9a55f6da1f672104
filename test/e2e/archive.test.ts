import { expect, test } from 'vitest'
import { archiveFolder } from '../support/archive.ts'
import { spawnOrders } from '../support/process.ts'
import { requireRealRedis } from '../support/requires.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

const roles = ['bridge', 'validate', 'archive', 'aggregate', 'leaderboard', 'jobs', 'api']
const bodies = Array.from({ length: 50 }, (_, at) =>
  JSON.stringify({ user_id: `u${at % 5}`, order_id: `o${at}`, order_value: at }),
)

const commandsWith =
  (env: Env) =>
  async (...words: string[]) => {
    await using command = spawnOrders(words, env)
    const { code } = await command.exit()
    return { code, text: command.stdout() + command.stderr() }
  }

test.each<Env>([{}, { PARTITIONS: '3' }])(
  'orders archive, with %j: flush, verify, drain, leave',
  async (partitions) => {
    await using redis = await emptyRedis()
    await using sqs = await emptySqs()
    using archive = archiveFolder()
    const env = envOf(redis.url, sqs, { ARCHIVE_URL: archive.url, ARCHIVE_SEGMENT_SECONDS: '240', ...partitions })
    const orders = commandsWith(env)
    {
      await using system = spawnOrders(['run', ...roles], env)
      await system.started()
      await sendBodies(env, bodies)
      const counted = async () => (await fetch(new URL('/stats/global', await system.apiUrl()))).json()
      await until('all are counted', counted, (found) => (found as { total_orders: number }).total_orders === 50)
      expect(await orders('archive', 'flush')).toEqual({ code: 0, text: expect.stringContaining('Flushed') })
      const checked = await orders('archive', 'verify', '--json')
      expect({ ...checked, text: JSON.parse(checked.text) }).toMatchObject({
        code: 0,
        text: { verdict: 'right', records: 50, waiting: 0, before: 0, differences: [] },
      })
      expect(await orders('archive', 'leave')).toEqual({
        code: 2,
        text: expect.stringContaining('Nothing was changed: run it again with --yes.'),
      })
      expect(await orders('archive', 'leave', '--yes')).toEqual({
        code: 2,
        text: expect.stringContaining('stop it first'),
      })
      expect((await orders('doctor', 'archive')).text).toContain('can be written and read')
      await sendBodies(env, ['{"user_id":"u","order_id":"last","order_value":1}'])
      await until(
        'it waits for the archive',
        async () => (await orders('status')).text,
        (text) => /archive +1 +1/.test(text),
      )
      expect(await orders('drain', '--timeout', '30')).toMatchObject({ code: 0 })
    }
    expect(await orders('archive', 'flush', '--timeout', '1')).toMatchObject({ code: 0 })
    await redis.redis.hset(
      'PARTITIONS' in partitions ? '{p0}:pipeline:counters' : 'pipeline:counters',
      'archived',
      1_000,
    )
    expect(await orders('archive', 'verify')).toEqual({ code: 1, text: expect.stringContaining('counter archived') })
  },
)

test('a repartition ends the chains, and each new partition begins one: every order stays in the archive once', async (context) => {
  requireRealRedis(context)
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  using archive = archiveFolder()
  const env = envOf(redis.url, sqs, { ARCHIVE_URL: archive.url, ARCHIVE_SEGMENT_SECONDS: '240' })
  {
    await using system = spawnOrders(['run', ...roles], env)
    await system.started()
    await sendBodies(env, bodies)
    await until(
      'all are admitted',
      () => redis.redis.hget('pipeline:counters', 'admitted'),
      (found) => found === '50',
    )
    const refused = await commandsWith({ ...env, ARCHIVE_URL: '' })('repartition', '--to', '3')
    expect(refused).toEqual({ code: 1, text: expect.stringContaining('set ARCHIVE_URL') })
    expect(await commandsWith(env)('repartition', '--to', '3')).toMatchObject({ code: 0 })
  }
  const after = { ...env, PARTITIONS: '3' }
  await using system = spawnOrders(['run', ...roles], after)
  await system.started()
  const more = bodies.map((body) => body.replace(/"o(\d)/, '"p$1'))
  await sendBodies(after, more)
  const admitted = async (): Promise<number> => {
    const all = await Promise.all([0, 1, 2].map((at) => redis.redis.hget(`{p${at}}:pipeline:counters`, 'admitted')))
    return all.reduce((sum, one) => sum + Number(one ?? 0), 0)
  }
  await until('all are admitted', admitted, (found) => found === 100)
  const orders = commandsWith(after)
  expect(await orders('archive', 'flush')).toMatchObject({ code: 0 })
  const { code, text } = await orders('archive', 'verify', '--json')
  expect({ code, ...JSON.parse(text) }).toMatchObject({
    code: 0,
    verdict: 'right',
    chains: 3, // these users are in two of the three partitions
    records: 100,
    differences: [],
  })
})
