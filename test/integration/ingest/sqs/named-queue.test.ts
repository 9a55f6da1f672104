import { CreateQueueCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { describe, expect, test } from 'vitest'
import { type Config, readConfig } from '../../../../src/config/config.ts'
import { queueAddress } from '../../../../src/config/queue-address.ts'
import { namesSqs } from '../../../../src/ingest/sqs/endpoint.ts'
import { inspectQueue, openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { examineQueue } from '../../../../src/ops/checks/checks.ts'
import { onOwnQueue } from '../../../../src/ops/commands/operate/demo.ts'
import { runOrders } from '../../../support/run-orders.ts'
import { openSqsProxy, type SqsProxy } from '../../../support/sqs-proxy.ts'
import { until } from '../../../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../../../support/world.ts'

const account = '000000000000'
const transports = ['sdk', 'thin']

/** A queue and its dead-letter queue in a region that is not the default one. */
async function elsewhere(url: string): Promise<void> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new SQSClient({ endpoint: url, region: 'eu-west-3', credentials })
  await client.send(new CreateQueueCommand({ QueueName: 'failed' }))
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: `arn:aws:sqs:eu-west-3:${account}:failed`,
    maxReceiveCount: 4,
  })
  await client.send(new CreateQueueCommand({ QueueName: 'theirs', Attributes: { RedrivePolicy } }))
  client.destroy()
}

async function queuesIn(url: string, region: string): Promise<string[]> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new SQSClient({ endpoint: url, region, credentials })
  const { QueueUrls = [] } = await client.send(new ListQueuesCommand({}))
  client.destroy()
  return QueueUrls
}

const namesOf = ({ calls }: SqsProxy): string[] => calls.map(({ name }) => name)

describe.each(transports)('a queue of another account or region (%s)', (SQS_TRANSPORT) => {
  const arn = `arn:aws:sqs:eu-west-3:${account}:theirs`

  test('by ARN: it is asked for in its region with its account, and so is its dead-letter queue', async () => {
    await using sqs = await emptySqs()
    await elsewhere(sqs.url)
    await using proxy = await openSqsProxy(sqs.url)
    const config = readConfig({
      ...{ AWS_ENDPOINT_URL: proxy.url, AWS_REGION: 'us-west-2' },
      ...{ SQS_QUEUE_NAME: arn, SQS_TRANSPORT },
    })
    using queue = await openQueue(config)
    expect(queue.url).toContain('/theirs')
    expect(await inspectQueue(config)).toMatchObject({ status: 'found', maxReceiveCount: 4, deadLetters: 0 })
    const named = proxy.calls.filter(({ name }) => name === 'GetQueueUrl').map(({ input }) => input)
    const theirs = { QueueName: 'theirs', QueueOwnerAWSAccountId: account }
    expect(named).toEqual([theirs, theirs, { QueueName: 'failed', QueueOwnerAWSAccountId: account }])
    expect(await examineQueue(config)).toMatchObject([
      { found: `theirs of account ${account} at ${proxy.url}, 0 messages` },
      { level: 'ok' },
      { level: 'ok' },
      { check: 'clock of SQS', level: 'ok' },
    ])
  })

  test('by URL: its URL is not asked for, and its host need not resolve where an endpoint is set', async () => {
    await using sqs = await emptySqs()
    await elsewhere(sqs.url)
    await using proxy = await openSqsProxy(sqs.url)
    const config = readConfig({
      AWS_ENDPOINT_URL: proxy.url,
      SQS_QUEUE_URL: `http://sqs.eu-west-3.nowhere.invalid:4566/${account}/theirs`,
      SQS_TRANSPORT,
    })
    using _ = await openQueue(config)
    expect(namesOf(proxy)).toEqual(['GetQueueAttributes'])
    expect(await inspectQueue(config)).toMatchObject({ status: 'found', maxReceiveCount: 4, deadLetters: 0 })
  })

  test('by URL alone: SQS is called where it says', async () => {
    await using sqs = await emptySqs()
    using _ = await openQueue(readConfig({ AWS_ENDPOINT_URL: sqs.url }))
    const url = `${sqs.url}/${account}/orders`
    const config = readConfig({ SQS_QUEUE_URL: url, SQS_TRANSPORT })
    using queue = await openQueue(config)
    expect(queue.url).toBe(url)
    expect(await inspectQueue(config)).toMatchObject({ status: 'found', deadLetters: 0 })
  })

  test('that a role may not look at is opened all the same', async () => {
    const denied = { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'not for you' }
    await using proxy = await openSqsProxy('http://127.0.0.1:9', () => denied)
    using queue = await openQueue(readConfig({ SQS_QUEUE_URL: `${proxy.url}/${account}/theirs`, SQS_TRANSPORT }))
    expect(queue.url).toContain('/theirs')
    await expect(inspectQueue(readConfig({ SQS_QUEUE_URL: queue.url }))).resolves.toMatchObject({
      status: 'unreadable',
    })
  })
})

describe('a queue that is missing', () => {
  const missing: readonly (readonly [string, (url: string) => Env])[] = [
    ['by name, where none may be created', (url) => ({ AWS_ENDPOINT_URL: url, SQS_CREATE_QUEUE: 'false' })],
    ['by ARN', (url) => ({ AWS_ENDPOINT_URL: url, SQS_QUEUE_NAME: `arn:aws:sqs:us-east-1:${account}:orders` })],
    ['by URL', (url) => ({ SQS_QUEUE_URL: `${url}/${account}/orders` })],
  ]
  test.each(missing)('%s: it is not created, and one line says so', async (_, envAt) => {
    await using sqs = await emptySqs()
    const config: Config = readConfig(envAt(sqs.url))
    const refused = openQueue(config).catch((error: unknown) => error)
    expect(await refused).toMatchObject({
      code: 'ORD_SQS',
      message: expect.stringMatching(/^There is no queue orders /),
    })
    expect(await inspectQueue(config)).toMatchObject({ status: 'missing' })
    expect(await examineQueue(config)).toMatchObject([{ level: 'error', found: ((await refused) as Error).message }])
    expect(await queuesIn(sqs.url, 'us-east-1')).toEqual([])
  })

  test('a bridge ends with that line and code 1; where it may create the queue, it does', async () => {
    await using redis = await emptyRedis()
    await using sqs = await emptySqs()
    const env = envOf(redis.url, sqs)
    await using refused = runOrders(['run', 'bridge'], { ...env, SQS_CREATE_QUEUE: 'false' })
    expect((await refused.exit()).code).toBe(1)
    expect(refused.stderr()).toMatch(/There is no queue orders-\w+ at .*, or set SQS_CREATE_QUEUE=true\.\s*$/)
    expect(await queuesIn(sqs.url, 'us-east-1')).toEqual([])

    await using bridge = runOrders(['run', 'bridge'], env)
    await bridge.started()
    await until('both queues', async () => (await queuesIn(sqs.url, 'us-east-1')).length === 2)
    await bridge.stop()
  })
})

describe('a queue of AWS that an ARN or a URL names', () => {
  const named: Env[] = [
    { SQS_QUEUE_NAME: `arn:aws:sqs:eu-west-3:${account}:theirs` },
    { SQS_QUEUE_URL: `https://sqs.eu-west-3.amazonaws.com/${account}/theirs` },
  ]

  test.each(named)('gets no sample orders without --aws: %j', async (env) => {
    await using populate = runOrders(['populate'], { ...env, DATA_DIR: '/nowhere' })
    expect((await populate.exit()).code).not.toBe(0)
    expect(populate.stderr()).toContain('use --aws to send sample orders to AWS itself')
  })

  test.each(named)('gets none from the demo, which runs on an emulator: %j', (env) => {
    const config = onOwnQueue(readConfig(env))
    expect(namesSqs(config)).toBe(false)
    expect(queueAddress(config)).toEqual({ name: 'theirs' })
  })
})
