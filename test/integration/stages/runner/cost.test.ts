import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { expect, test, vi } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { sampleOrders } from '../../../../src/ops/local/sample-orders.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { shipped as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn } from '../../../support/world.ts'

/*
 * Counts the commands that Redis gets for 10,000 orders of 2,000 users on orders:raw, ten in an entry, one stage after the
 * other. The numbers are the same in every run, so a regression shows without a clock. Batches of 500 are 20 commits; the
 * first read is a small one. Commands per 1,000 orders are those in scripts. For each order validate reads two generations
 * of the ledger, writes one and sets its expiry. Aggregate reads and writes a user once a batch. Leaderboard reads a user
 * once a batch, and ranks the batch with one ZADD a board. Each commit checks the layout of its stage with one HGET,
 * and with one HLEN that no user was erased since it was planned.
 */
const orders = 10_000
const users = 2_000
const most = {
  validate: { commits: 21, commands: 4_952.8 },
  aggregate: { commits: 21, commands: 1_658.6 },
  leaderboard: { commits: 21, commands: 844.6 },
} as const

/** Of a trim of a stream that is processed, twice a second: it does not grow with the orders. */
const maxOfTrim = 11

/** Matches commands whose number depends on time: reading and cleaning up. Of scripts, their calls are counted. */
const untimed =
  /^(x(readgroup|autoclaim|info|trim|pending|group|range)|z(score|rem|rangebyscore)|get$|eval|info|time|exists|hello|config)/

test('what is left out as tidying is not what a commit asks', () => {
  const commit = readFileSync(new URL('../../../../src/stages/runner/commit.lua', import.meta.url), 'utf8')
  expect(commit.match(/'(GET|XRANGE|ZREM|ZRANGEBYSCORE|ZREMRANGEBYSCORE)'/g)).toBeNull()
  expect(commit.match(/'ZSCORE'/g)).toHaveLength(1) // where Redis has no ZMSCORE
})

test('the line asks no more of Redis than it did: commits, and commands per 1,000 orders', async (context) => {
  requireRedisServer(context)
  vi.useFakeTimers({ toFake: ['performance'] }) // by it a stage trims twice a second: the slower the machine, the more often
  using _ = { [Symbol.dispose]: () => vi.useRealTimers() }
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  const app = appOn(redis, readConfig({ BLOCK_MS: '100', CLAIM_IDLE_MS: '600000' })) // a stall is no reason to claim
  await ensureGroups(app)
  const bodies = [...sampleOrders({ valid: orders, invalid: 0, users, seed: 5 })].map(({ body }) => body)
  for (let at = 0; at < orders; at += 10) {
    const ten = bodies.slice(at, at + 10).map((body, i) => ({ id: `m${at + i}`, body }))
    await enqueue(redis, app.keys, ten)
  }
  let [commits, passed] = [0, 0]
  app.telemetry.listen((event, fields) => {
    if (event !== 'committed') return
    commits++
    passed += (fields as { passed: number }).passed
  })
  for (const stage of pipeline.stages) {
    ;[commits, passed] = [0, 0]
    await redis.config('RESETSTAT')
    const stop = new AbortController()
    const running = runStage(app, stage, () => {}, stop.signal)
    await until(`all to be through ${stage.name}`, () => passed === orders)
    stop.abort()
    await running
    const limit = most[stage.name as keyof typeof most]
    expect(commits, stage.name).toBe(limit.commits)
    expect((1_000 * (await commandsOf(redis))) / orders, stage.name).toBeLessThanOrEqual(limit.commands)
    await redis.config('RESETSTAT')
    await trim(app, stage)
    expect(await commandsOf(redis, /^(evalsha|info|config)/), stage.name).toBeLessThanOrEqual(maxOfTrim)
  }
  redis.disconnect()
})

async function commandsOf(redis: Redis, without = untimed): Promise<number> {
  const stats = [...(await redis.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g)]
  return stats.reduce((sum, [, name = '', calls]) => sum + (without.test(name) ? 0 : Number(calls)), 0)
}
