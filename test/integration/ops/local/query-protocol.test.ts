import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { openLocal } from '../../../../src/ops/local/emulators.ts'

/** The local SQS emulator as `orders start` runs it; Redis is elsewhere. */
async function localSqs() {
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-sqs-'))
  const local = await openLocal(readConfig({ REDIS_URL: 'redis://127.0.0.1:1' }), folder, () => {})
  const close = async (): Promise<void> => {
    await local[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  }
  return { url: local.config.awsEndpointUrl ?? '', [Symbol.asyncDispose]: close }
}

const form = 'application/x-www-form-urlencoded; charset=utf-8'
const sentence =
  'The local SQS emulator speaks only the JSON protocol, but this client speaks the older query protocol: use AWS CLI 2.13.28 (1.29.82 of version 1), boto3 1.28.82 or newer.'

/** Reads an error of the query protocol as botocore and the SDKs do. */
function errorIn(xml: string): Record<string, string | undefined> {
  const tag = (name: string): string | undefined => new RegExp(`<${name}>(.*?)</${name}>`).exec(xml)?.[1]
  return { type: tag('Type'), code: tag('Code'), message: tag('Message') }
}

const refused = { type: 'Sender', code: 'UnsupportedProtocol', message: sentence }

test('a client of the query protocol is answered with a sentence that says what to update', async () => {
  await using sqs = await localSqs()
  const post = (path: string, body: string): Promise<Response> =>
    fetch(`${sqs.url}${path}`, { method: 'POST', headers: { 'content-type': form }, body })
  const version = 'Version=2012-11-05'
  const asked = [
    await post('/', `Action=GetQueueUrl&QueueName=orders&${version}`),
    await post('/000000000000/orders', `Action=SendMessage&MessageBody=%7B%7D&${version}`),
    await post('/', `Action=SendMessage&MessageBody=${'x'.repeat(200_000)}&${version}`),
    await post('/', 'Action=ListQueues'),
    await fetch(`${sqs.url}/000000000000/orders?Action=ReceiveMessage&${version}`),
  ]
  for (const reply of asked) {
    expect([reply.status, reply.headers.get('content-type')]).toEqual([400, 'text/xml'])
    expect(errorIn(await reply.text())).toEqual(refused)
  }
})

test('what the emulator does speak goes through: SQS by JSON, and other services by the query protocol', async () => {
  await using sqs = await localSqs()
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new SQSClient({ endpoint: sqs.url, region: 'us-east-1', credentials })
  expect(await client.send(new ListQueuesCommand({}))).toMatchObject({ $metadata: { httpStatusCode: 200 } })
  client.destroy()
  const body = 'Action=ListTopics&Version=2010-03-31'
  const topics = await fetch(sqs.url, { method: 'POST', headers: { 'content-type': form }, body })
  expect(await topics.text()).toContain('<ListTopicsResponse')
})
