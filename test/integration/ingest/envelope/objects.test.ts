import { randomBytes } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import type { ClientRequest, ServerResponse } from 'node:http'
import { startFauxqs } from 'fauxqs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { openBridge } from '../../../../src/ingest/bridge.ts'
import { type ObjectText, openObjects } from '../../../../src/ingest/envelope/objects.ts'
import { openS3 } from '../../../../src/ingest/envelope/s3.ts'
import { pointerIn, type S3Pointer } from '../../../../src/ingest/envelope/s3-pointer.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { onLoopback } from '../../../../src/ops/local/emulators.ts'
import { toEntry } from '../../../../src/stages/invalid/entry.ts'
import { roundRecord } from '../../../../src/stages/invalid/requeue.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { store } from '../../../support/enveloped.ts'
import { pointerTo } from '../../../support/envelopes.ts'
import { openHttpScript } from '../../../support/http-script.ts'
import { freePort } from '../../../support/redis-server.ts'
import { sendBodies } from '../../../support/send.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const order = '{"user_id":"ada","order_id":"o","order_value":150.75}'
const { signal } = new AbortController()

async function stored(env: Record<string, string>, body: string): Promise<S3Pointer> {
  const [pointer = ''] = await store(env, [body])
  return pointerIn(pointer) as S3Pointer
}

test('an object is read as text; one that is not there, too large or no text says so', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  using objects = openObjects(appOn(redis.redis, readConfig({ ...env })))
  const read = (pointer: S3Pointer): Promise<ObjectText> => objects.read(pointer, () => {}, signal)
  const here = await stored(env, order)
  expect(await read(here)).toEqual({ text: order })
  expect(await read({ ...here, key: 'other' })).toEqual({ missing: 'does not exist' })
  expect(await read({ ...here, bucket: 'other' })).toEqual({ missing: 'is in a bucket that does not exist' })
  const large = await stored(env, ' '.repeat(4_194_305))
  expect(await read(large)).toEqual({ missing: 'is larger than 4194304 bytes' })
  expect(await Promise.all(Array(9).fill(here).map(read))).toEqual(Array(9).fill({ text: order }))
})

test('while S3 is away a read waits and says so, and goes on when it is back', async () => {
  await using redis = await emptyRedis()
  const port = await freePort()
  const env = envOf(redis.url, { url: `http://127.0.0.1:${port}`, queueName: randomBytes(4).toString('hex') })
  const app = appOn(redis.redis, readConfig({ ...env }))
  using objects = openObjects(app)
  const failed = Promise.withResolvers<string>()
  app.telemetry.on('bridgeFailed', ({ component }) => failed.resolve(component))
  const reading = objects.read({ bucket: 'large-orders', key: 'o' }, () => {}, signal)
  expect(await failed.promise).toBe('object')
  using _ = onLoopback()
  const server = await startFauxqs({ port, logger: false })
  expect(await reading).toEqual({ missing: 'is in a bucket that does not exist' })
  await server.stop()
})

test('while S3 is away each reader makes progress, those that wait for their turn too', async () => {
  await using redis = await emptyRedis()
  const env = envOf(redis.url, { url: `http://127.0.0.1:${await freePort()}`, queueName: 'orders' })
  using objects = openObjects(appOn(redis.redis, readConfig({ ...env })))
  const stop = new AbortController()
  const ticks = Array<number>(8).fill(0)
  const reads = [...ticks.keys()].map((at) => {
    const tick = (): void => void ticks.splice(at, 1, (ticks[at] ?? 0) + 1)
    return objects.read({ bucket: 'b-1', key: 'k' }, tick, stop.signal)
  })
  await until('each to tick again and again', () => ticks.every((count) => count > 2))
  stop.abort()
  await Promise.allSettled(reads)
})

test('at most four objects are read at once', async () => {
  await using redis = await emptyRedis()
  const open: ServerResponse[] = []
  let max = 0
  await using server = await openHttpScript((response) => {
    open.push(response)
    max = Math.max(max, open.length)
  })
  using objects = openObjects(appOn(redis.redis, readConfig({ AWS_ENDPOINT_URL: server.url })))
  const reads = Array.from({ length: 9 }, () => objects.read({ bucket: 'b-1', key: 'k' }, () => {}, signal))
  await until('four requests', () => open.length >= 4)
  for (const _ of reads) (await until('a request', () => open.shift()))?.end(order)
  expect(await Promise.all(reads)).toEqual(Array(9).fill({ text: order }))
  expect(max).toBe(4)
})

for (const [what, bucket, key] of [
  ['a key that is not Unicode', 'b-1', '\ud800'],
  ['a key longer than any', 'b-1', 'k'.repeat(1_025)],
  ['a bucket with a blank', 'a b', 'k'],
  ['a bucket that is a path', '..', 'k'],
  ['an ARN', 'arn:aws:s3:us-east-1:123456789012:accesspoint/orders', 'k'],
  ['a directory bucket', 'orders--use1-az4--x-s3', 'k'],
] as const) {
  test(`a pointer with ${what} leads to no object, and nothing waits for it`, async () => {
    await using server = await openHttpScript((response) => void response.writeHead(503).end())
    const s3 = await openS3(readConfig({ AWS_ENDPOINT_URL: server.url }))
    expect(await s3.get({ bucket, key }, AbortSignal.timeout(5_000))).toEqual({
      missing: 'has a name that S3 does not allow',
    })
    expect(server.requests).toEqual([])
    s3.close()
  })
}

for (const [status, code, missing] of [
  [400, 'InvalidRequest', 'cannot be read: S3 says InvalidRequest'],
  [400, 'KMS.DisabledException', 'cannot be read: S3 says KMS.DisabledException'],
  [403, 'AccessDenied', 'may not be read by the bridge'],
  [400, 'ExpiredToken', undefined],
  [403, 'SignatureDoesNotMatch', undefined],
  [503, 'SlowDown', undefined],
  [403, undefined, undefined],
] as const) {
  const name = code ?? 'a page of a proxy'
  test(`${status} ${name} ${missing ? 'says something of the object' : 'says nothing of the object'}`, async () => {
    await using server = await openHttpScript((response) => {
      const xml = code && `<Error><Code>${code}</Code><Message>no</Message></Error>`
      response.writeHead(status, { 'content-type': 'application/xml' }).end(xml ?? '<html>no</html>')
    })
    const s3 = await openS3(readConfig({ AWS_ENDPOINT_URL: server.url }))
    const got = s3.get({ bucket: 'b-1', key: 'k' }, AbortSignal.timeout(5_000))
    if (missing) expect(await got).toEqual({ missing })
    else await expect(got).rejects.toThrow()
    s3.close()
  })
}

test('of a body without a length no more is read than an order may have', async () => {
  const ended = Promise.withResolvers<void>()
  await using server = await openHttpScript((response) => {
    response.on('close', ended.resolve)
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536))) {}
    }
    response.on('drain', more).writeHead(200)
    more()
  })
  const s3 = await openS3(readConfig({ AWS_ENDPOINT_URL: server.url }))
  const missing = 'is larger than 4194304 bytes'
  expect(await s3.get({ bucket: 'b-1', key: 'k' }, AbortSignal.timeout(5_000))).toEqual({ missing })
  await ended.promise
  s3.close()
})

test('an AWS_ENDPOINT_URL of AWS is that of SQS alone', async () => {
  const url = 'https://vpce-1.sqs.us-east-1.vpce.amazonaws.com'
  vi.stubEnv('AWS_ENDPOINT_URL', url)
  onTestFinished(() => void vi.unstubAllEnvs())
  const asked: string[] = []
  channel('http.client.request.start').subscribe((message) => {
    asked.push((message as { request: ClientRequest }).request.host)
  })
  const s3 = await openS3(readConfig({ AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }))
  await s3.get({ bucket: 'b-1', key: 'k' }, AbortSignal.timeout(3_000)).catch(() => {})
  s3.close()
  expect(new Set(asked)).toEqual(new Set(['b-1.s3.us-east-1.amazonaws.com']))
})

test('a body that stops coming ends with the call', async () => {
  await using server = await openHttpScript((response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{')
  })
  const s3 = await openS3(readConfig({ AWS_ENDPOINT_URL: server.url }))
  await expect(s3.get({ bucket: 'b-1', key: 'k' }, AbortSignal.timeout(1_000))).rejects.toThrow()
  s3.close()
})

test('a stop ends a read that waits for S3', async () => {
  await using redis = await emptyRedis()
  const env = envOf(redis.url, { url: `http://127.0.0.1:${await freePort()}`, queueName: 'orders' })
  using objects = openObjects(appOn(redis.redis, readConfig({ ...env })))
  const stop = new AbortController()
  const reads = Array.from({ length: 5 }, () => objects.read({ bucket: 'b-1', key: 'k' }, () => {}, stop.signal))
  stop.abort(new Error('stopped'))
  expect((await Promise.allSettled(reads)).map(({ status }) => status)).toEqual(Array(5).fill('rejected'))
})

test('a pointer to an object that is not there is an invalid order, one to an order is counted', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs, { SQS_DELETE_AFTER: 'write', STOP_GRACE_MS: '60000' })
  const config = readConfig({ ...env })
  const app = appOn(redis.redis, config)
  using queue = await openQueue(config)
  const lost = pointerTo('large-orders', 'gone')
  await sendBodies(env, [...(await store(env, [order])), lost])
  using bridge = await openBridge(app, queue, async () => 0)
  await ensureGroups(app)
  const stop = new AbortController()
  const running = Promise.allSettled([
    bridge.delete(() => {}, stop.signal),
    bridge.poll(() => {}, stop.signal),
    runStage(app, validate, () => {}, stop.signal),
  ])
  await until('both to be judged', async () => {
    const { admitted, rejected } = await redis.redis.hgetall(app.keys.counters)
    return admitted === '1' && rejected === '1'
  })
  stop.abort()
  await running
  const [line = ''] = await redis.redis.lrange(app.keys.invalidOrders, 0, -1)
  expect(JSON.parse(line)).toMatchObject({
    code: 'unresolved-pointer',
    reason: 'The S3 object gone of large-orders does not exist',
    raw: lost,
  })
  expect(sqs.depth()).toBe(0)
  const entry = toEntry(app.keys, (await redis.redis.xrange(app.keys.invalid, '-', '+'))[0] as [string, string[]])
  expect(roundRecord(entry, 'job', undefined, new Date())).toMatchObject({
    body: lost,
    rejection: { code: 'unresolved-pointer', reason: entry.record.reason },
  })
  expect(roundRecord(entry, 'job', { body: order, by: 'ann' }, new Date())).not.toHaveProperty(
    'rejection',
    expect.anything(),
  )
})
