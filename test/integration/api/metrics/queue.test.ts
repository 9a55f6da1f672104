import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openQueueReader, queueMetrics } from '../../../../src/api/metrics/queue.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { json, openHttpScript, type Reply } from '../../../support/http-script.ts'
import { openProxy } from '../../../support/proxy.ts'
import { sendBodies } from '../../../support/send.ts'
import { appOn, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const denied = json(403, { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'not for you' })
const arn = 'arn:aws:sqs:us-east-1:000000000000:orders-dlq'
const readable = (name: string, url: string): object => {
  if (name === 'GetQueueUrl') return { QueueUrl: `${url}/000000000000/orders` }
  const counts = { ApproximateNumberOfMessages: '7', ApproximateNumberOfMessagesNotVisible: '2' }
  return { Attributes: { ...counts, RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount: 5 }) } }
}

for (const SQS_TRANSPORT of ['sdk', 'thin']) {
  test(`attributes denied while running: said once, failing, and dead letters keep their last count: SQS_TRANSPORT=${SQS_TRANSPORT}`, async () => {
    await using redis = await emptyRedis()
    let refused: (name: string, input: string) => boolean = () => false
    const reply: Reply = (response, at) => {
      const { headers, body = '' } = server.requests[at] ?? {}
      const name = String(headers?.['x-amz-target']).replace('AmazonSQS.', '')
      const answer = refused(name, body) ? denied : json(200, readable(name, server.url))
      answer(response, at)
    }
    await using server = await openHttpScript(reply)
    const app = appOn(redis.redis, readConfig({ AWS_ENDPOINT_URL: server.url, SQS_TRANSPORT }))
    const said: unknown[] = []
    app.telemetry.on('queueUnreadable', (fields) => void said.push(fields))
    app.telemetry.on('queueReadable', (fields) => void said.push(fields))
    const read = openQueueReader(app, { everyMs: 0, patienceMs: 60_000 })
    app.telemetry.emit('started', { roles: ['bridge'] })
    const served = async (): Promise<Record<string, unknown>> => {
      const reading = await read()
      if (!reading) return {}
      return Object.fromEntries(
        queueMetrics.map(({ name, read }) => [name.replace('orders_sqs_', ''), read(reading, app.pipeline)[0]?.[0]]),
      )
    }
    const well = { visible_messages: 7, in_flight_messages: 2, dead_letters: 7, reading_failing: 0 }
    const blind = { visible_messages: undefined, in_flight_messages: undefined, dead_letters: 7, reading_failing: 1 }
    expect(await served()).toMatchObject(well)
    refused = (name) => name === 'GetQueueAttributes'
    expect(await served()).toMatchObject(blind)
    expect(await served()).toMatchObject(blind)
    expect(said).toEqual([{ error: 'SQS denies GetQueueAttributes of orders (not for you)' }])
    refused = () => false
    expect(await served()).toMatchObject(well)
    refused = (name, input) => name === 'GetQueueUrl' && input.includes('orders-dlq')
    expect(await served()).toMatchObject({ ...well, reading_failing: 1 })
    expect(said.slice(1)).toEqual([{}, { error: 'SQS denies GetQueueUrl of orders-dlq (not for you)' }])
    refused = () => true
    expect(await served()).toMatchObject(blind)
  })
}

test('while SQS is frozen one scrape waits a moment for it, and the next ones have at once what is remembered', async () => {
  await using redis = await emptyRedis()
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  await sendBodies(env, ['one', 'two'])
  await using proxy = await openProxy(Number(new URL(sqs.url).port))
  const config = readConfig({ ...env, AWS_ENDPOINT_URL: `http://127.0.0.1:${proxy.port}` })
  ;(await openQueue(config))[Symbol.dispose]()
  const app = appOn(redis.redis, config)
  const read = openQueueReader(app, { everyMs: 0, patienceMs: 3_000 })
  app.telemetry.emit('started', { roles: ['bridge'] })
  expect(await read()).toMatchObject({ state: { messages: 2 }, deadLetters: 0 })
  const unread = Promise.withResolvers<void>()
  app.telemetry.on('queueUnreadable', () => unread.resolve())
  proxy.freeze()
  const first = read()
  expect(await Promise.race([first, sleep(50, 'waits')])).toBe('waits')
  const remembered = await first
  for (let more = 1; more <= 3; more++) {
    expect(await Promise.race([read(), sleep(500, 'waits')])).toEqual(remembered)
  }
  expect(remembered).toMatchObject({ state: { messages: 2 }, deadLetters: 0, unread: undefined })
  await unread.promise
  expect(await read()).toMatchObject({ state: undefined, deadLetters: 0, unread: expect.any(String) })
})
