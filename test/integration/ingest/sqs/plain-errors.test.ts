import { setImmediate } from 'node:timers/promises'
import { GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { withPlainErrors } from '../../../../src/ingest/sqs/plain-errors.ts'
import { inspectQueue, openQueue } from '../../../../src/ingest/sqs/queue.ts'
import type { Sqs } from '../../../../src/ingest/sqs/types.ts'
import { json, openHttpScript, type Reply } from '../../../support/http-script.ts'

/** Returns the message about an endpoint that answers like this, with either client. */
async function saidOf(reply: Reply, path = ''): Promise<string> {
  await using server = await openHttpScript(reply)
  const said = []
  for (const SQS_TRANSPORT of ['sdk', 'thin']) {
    const url = server.url.replace('//', '//user:secret@') + path
    const config = readConfig({ AWS_ENDPOINT_URL: url, SQS_TRANSPORT })
    for (const open of [openQueue, inspectQueue]) {
      const error: unknown = await open(config).catch((error: unknown) => error)
      expect(error).toMatchObject({ code: 'ORD_SQS' })
      said.push((error as Error).message.replaceAll(server.url.replace('//', '//***@'), 'URL'))
    }
  }
  expect(new Set(said).size).toBe(1)
  return said[0] ?? ''
}

const page =
  (status: number): Reply =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html><p>Log in</p>')

const cases: Record<string, [reply: Reply, path: string, sentence: string]> = {
  'a load balancer without a server': [
    page(503),
    '',
    'URL answered 503 Service Unavailable with text/html, which is no answer of SQS: check AWS_ENDPOINT_URL.',
  ],
  'a status that has no name': [
    page(520),
    '',
    'URL answered 520 with text/html, which is no answer of SQS: check AWS_ENDPOINT_URL.',
  ],
  'a login page': [
    page(200),
    '/',
    'URL/ answered 200 OK with text/html, which is no answer of SQS: check AWS_ENDPOINT_URL.',
  ],
  'a redirect to a login page': [
    (response) => void response.writeHead(302, { location: 'https://login.example/in?token=secret' }).end(),
    '',
    'URL answered 302 Found (to https://login.example/in?***), which is no answer of SQS: check AWS_ENDPOINT_URL.',
  ],
  'an endpoint with a path': [
    page(404),
    '/sqs/orders?key=secret',
    'URL/sqs/orders?*** answered 404 Not Found with text/html, which is no answer of SQS: check AWS_ENDPOINT_URL, which has a path.',
  ],
  'another API': [
    json(404, { message: 'Not Found' }),
    '',
    'URL answered 404 Not Found with application/x-amz-json-1.0, which is no answer of SQS: check AWS_ENDPOINT_URL.',
  ],
  'another API that takes everything': [
    json(200, { status: 'ok' }),
    '',
    'URL answered without the URL of a queue, which is no answer of SQS: check AWS_ENDPOINT_URL.',
  ],
}

for (const [name, [reply, path, sentence]] of Object.entries(cases)) {
  test(`${name} is said with its status and address, without credentials`, async () => {
    expect(await saidOf(reply, path)).toBe(`SQS cannot open the queue orders: ${sentence}`)
  })
}

test('a refusal of SQS itself is said as SQS says it, without the credentials of the address', async () => {
  const denied = json(403, { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'not for you' })
  expect(await saidOf(denied)).toBe(
    'SQS cannot open the queue orders at URL (not for you): check AWS_ENDPOINT_URL and the credentials.',
  )
})

test.each([{}, { AWS_ENDPOINT_URL: 'http://sqs.example' }])('an answer that does not come in time: %o', async (env) => {
  const timeout = Object.assign(new Error('late'), { name: 'TimeoutError' })
  const sqs: Sqs = { send: () => setImmediate().then(() => Promise.reject(timeout)), destroy: () => {} }
  const asking = withPlainErrors(sqs, readConfig(env)).send(new GetQueueUrlCommand({ QueueName: 'orders' }))
  const [who, where] = env.AWS_ENDPOINT_URL
    ? [env.AWS_ENDPOINT_URL, 'AWS_ENDPOINT_URL']
    : ['AWS, region us-east-1', 'AWS_REGION, the source of the credentials']
  await expect(asking).rejects.toThrow(`${who} has not answered for 0 s: check ${where} and the network.`)
})
