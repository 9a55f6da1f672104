import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a stop while the connection for reads is being set up ends the stage without an error', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis)
  const stop = new AbortController()
  const duplicate = scope.redis.duplicate.bind(scope.redis)
  scope.redis.duplicate = (options) => duplicate(options).once('connect', () => stop.abort())
  await runStage(scope, validate, () => {}, stop.signal)
  expect(stop.signal.aborted).toBe(true)
})

test('what is committed is trimmed soon, long before the stage looks for dead consumers', async () => {
  await using world = await emptyRedis()
  const scope = appOn(world.redis, readConfig({ CLAIM_IDLE_MS: '600000', BLOCK_MS: '50' }))
  const stop = new AbortController()
  const running = runStage(scope, validate, () => {}, stop.signal)
  await enqueue(world.redis, scope.keys, [{ id: 'm', body: '{}' }])
  await until('it to be rejected', async () => (await world.redis.xlen(scope.keys.invalid)) === 1)
  await until('it to be trimmed', async () => (await world.redis.xlen(scope.keys.stream('raw'))) === 0)
  stop.abort()
  await running
})
