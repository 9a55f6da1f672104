import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { reportLoad } from '../../../../src/ops/process/load.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('a rejection names its message, entry and invalid id; a report sums them by code, and is silent without work', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await ensureGroups(app)
  const rejected: unknown[] = []
  const committed: unknown[] = []
  const reported: unknown[] = []
  app.telemetry.on('rejected', (fields) => void rejected.push(fields))
  app.telemetry.on('committed', (fields) => void committed.push(fields))
  app.telemetry.on('load', (fields) => void reported.push(fields))
  app.telemetry.on('rejections', (fields) => void reported.push(fields))
  const report = reportLoad(app.telemetry, async () => 7)
  const [entryId] = await enqueue(world.redis, app.keys, [
    { id: 'm1', body: '{}' },
    { id: 'm2', body: '{"user_id":"u","order_id":"o","order_value":1}' },
  ])
  const stop = new AbortController()
  const running = runStage(app, validate, () => {}, stop.signal)
  await until('the rejection', () => rejected.length === 1)
  stop.abort()
  await running
  const [invalidId] = (await world.redis.xrange(app.keys.invalid, '-', '+')).map(([id]) => id)
  const code = 'missing-field'
  const stage = 'validate'
  expect(rejected).toEqual([{ stage, code, orders: 1, messageId: 'm1', entryId, invalidId }])
  expect(committed).toMatchObject([{ stage, entries: 1, firstEntryId: entryId, lastEntryId: entryId, rejected: 1 }])
  await report()
  await report()
  expect(reported).toEqual([
    { taken: 0, passed: { validate: 1 }, duplicates: 0, rejected: { [code]: 1 }, waiting: 7 },
    { code, orders: 1, invalidId },
  ])
})
