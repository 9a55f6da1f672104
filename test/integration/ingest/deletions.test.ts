import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { openDeletions } from '../../../src/ingest/deletions.ts'
import { openDurability } from '../../../src/ingest/durability.ts'
import { openTransport } from '../../../src/ingest/sqs/client.ts'
import { json, openHttpScript } from '../../support/http-script.ts'
import { until } from '../../support/until.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

const entries = (from: number, to: number): { Id: string; SenderFault: boolean; Code: string }[] =>
  Array.from({ length: to - from }, (_, at) => ({ Id: String(from + at), SenderFault: false, Code: 'InternalError' }))

test('a renewal that is answered when most of its messages are deleted counts none below zero, and is no outage', async () => {
  await using redis = await emptyRedis()
  const renewal = Promise.withResolvers<void>()
  const called = (at: number): string => String(server.requests[at]?.headers['x-amz-target']).replace('AmazonSQS.', '')
  await using server = await openHttpScript(async (response, at) => {
    const deletes = server.requests.filter((_, other) => called(other) === 'DeleteMessageBatch').length
    if (called(at) === 'DeleteMessageBatch') {
      const Failed = deletes === 1 ? entries(9, 10) : []
      return json(200, { Successful: [], Failed })(response, at)
    }
    await renewal.promise
    json(200, { Successful: [], Failed: entries(0, 6) })(response, at)
  })
  const config = readConfig({
    AWS_ENDPOINT_URL: server.url,
    SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
    SQS_DELETE_AFTER: 'write',
    STOP_GRACE_MS: '0',
  })
  const app = appOn(redis.redis, config)
  const events: [string, unknown][] = []
  app.telemetry.listen((event, fields) => void events.push([event, fields]))
  const of = (name: string): unknown[] => events.filter(([event]) => event === name).map(([, fields]) => fields)
  using durability = await openDurability(app)
  const queue = { sqs: await openTransport(config), url: `${server.url}/000000000000/orders` }
  const deletions = openDeletions(app, queue, durability, () => 0)
  const stop = new AbortController()
  const running = deletions.run(() => {}, stop.signal)
  const batch = deletions.hold(Array.from({ length: 10 }, (_, at) => ({ ReceiptHandle: String(at) })))
  await until('a renewal to be asked for', () => server.requests.some((_, at) => called(at).startsWith('Change')))
  deletions.written(batch, [])
  await until('nine to be deleted', () => of('deleted').length === 1)
  renewal.resolve()
  await until('the renewal to be over', () => of('renewed').length === 1)
  expect(of('renewed')).toEqual([{ messages: 4 }])
  expect(of('bridgeFailed')).toEqual([])
  stop.abort()
  await running
  queue.sqs.destroy()
})

test('batches that wait for it are confirmed together', async () => {
  await using redis = await emptyRedis()
  await using server = await openHttpScript(json(200, { Successful: [], Failed: [] }))
  const config = readConfig({ AWS_ENDPOINT_URL: server.url, SQS_DELETE_AFTER: 'write', STOP_GRACE_MS: '0' })
  const app = appOn(redis.redis, config)
  using durability = await openDurability(app)
  const { keys } = app
  let [confirmed, deleted] = [0, 0]
  const confirm = (of: typeof keys) => {
    confirmed++
    return durability.confirm(of)
  }
  app.telemetry.on('deleted', ({ messages }) => {
    deleted += messages
  })
  const queue = { sqs: await openTransport(config), url: `${server.url}/000000000000/orders` }
  const deletions = openDeletions(app, queue, { ...durability, confirm }, () => 0)
  for (const ReceiptHandle of ['a', 'b', 'c']) {
    deletions.written(deletions.hold([{ ReceiptHandle }]), [{ keys, incarnation: durability.incarnation(keys) }])
  }
  const stop = new AbortController()
  const running = deletions.run(() => {}, stop.signal)
  await until('all to be deleted', () => deleted === 3)
  expect(confirmed).toBe(1)
  stop.abort()
  await running
  queue.sqs.destroy()
})
