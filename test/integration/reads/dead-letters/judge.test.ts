import { expect, test } from 'vitest'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import type { RawRecord } from '../../../../src/messages.ts'
import { openJudge } from '../../../../src/reads/dead-letters/judge.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const record = (id: string, order: unknown, more: Partial<RawRecord> = {}): RawRecord => ({
  id,
  body: typeof order === 'string' ? order : JSON.stringify(order),
  ...more,
})
const order = (orderId: string, value = 5) => ({ user_id: 'u', order_id: orderId, order_value: value })

test('a record is judged by the rules and the ledger as they are, and nothing is written', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await enqueue(app.redis, app.keys, [record('m1', order('known')), record('m2', '[]')])
  const stop = new AbortController()
  const running = runStage(app, validate, () => {}, stop.signal)
  await until(
    'both to be judged',
    () => world.redis.hmget('pipeline:counters', 'admitted', 'rejected'),
    (counts) => counts.join() === '1,1',
  )
  stop.abort()
  await running
  const before = await world.redis.keys('*')
  const judge = await openJudge(app)
  const verdicts = []
  for (const one of [
    record('a', order('known')),
    record('b', order('known', 6)),
    record('m2', '[]'), // that message was rejected before: SQS delivers it again
    record('c', '[]'),
    record('c', '[]'),
    record('d', order('new')),
    record('e', order('new')),
    record('f', order('new', 7)),
    record('g', order('other'), { rejection: { code: 'unresolved-pointer', reason: 'The S3 object k of b is gone' } }),
  ]) {
    verdicts.push(await judge(one))
  }
  expect(verdicts).toEqual([
    { verdict: 'duplicate' },
    {
      ...{ verdict: 'conflict', code: 'conflict' },
      reason: 'Order known of user u was already accepted with order_value 5',
    },
    { verdict: 'duplicate' },
    { verdict: 'rejected', code: 'not-an-object', reason: 'Order must be a JSON object' },
    { verdict: 'duplicate' },
    { verdict: 'admitted' },
    { verdict: 'duplicate' },
    expect.objectContaining({ verdict: 'conflict' }),
    { verdict: 'rejected', code: 'unresolved-pointer', reason: 'The S3 object k of b is gone' },
  ])
  expect((await world.redis.keys('*')).sort()).toEqual(before.sort())
})
