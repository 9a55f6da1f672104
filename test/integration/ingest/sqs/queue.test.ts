import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { inspectQueue, openQueue } from '../../../../src/ingest/sqs/queue.ts'
import { json, openHttpScript } from '../../../support/http-script.ts'
import { until } from '../../../support/until.ts'

afterEach(() => void vi.unstubAllEnvs())

test('the state of a queue is made of the attributes that are asked for, with either client', async () => {
  const attributes = {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: 'arn:aws:sqs:eu-west-1:1:dead', maxReceiveCount: '3' }),
    ApproximateNumberOfMessages: '7',
    ApproximateNumberOfMessagesNotVisible: '2',
  }
  await using server = await openHttpScript((response, at) => {
    const { body = '' } = server.requests[at] ?? {}
    const { AttributeNames: names } = JSON.parse(body) as { AttributeNames?: string[] }
    if (names === undefined && !body.includes('AttributeNames') && !body.includes('QueueUrl'))
      return json(200, { QueueUrl: `${server.url}/1/orders` })(response, at)
    const asked = Object.entries(attributes).filter(([name]) => names?.includes(name))
    return json(200, { Attributes: Object.fromEntries(asked) })(response, at)
  })
  for (const SQS_TRANSPORT of ['sdk', 'thin']) {
    const config = readConfig({ AWS_ENDPOINT_URL: server.url, SQS_TRANSPORT })
    expect(await inspectQueue(config)).toEqual({
      status: 'found',
      messages: 7,
      inFlight: 2,
      maxReceiveCount: 3,
      deadLetters: 7,
    })
    using queue = await openQueue(config)
    expect(queue.url).toBe(`${server.url}/1/orders`)
  }
})

test.each(['sdk', 'thin'])('a queue that cannot be opened leaves no connection open (%s)', async (SQS_TRANSPORT) => {
  const closed: Promise<unknown>[] = []
  await using server = await openHttpScript((response, at) => {
    const socket = response.socket as Socket & { readonly server: Server }
    socket.server.keepAliveTimeout = 0 // only the client closes it
    closed.push(once(socket, 'close'))
    json(403, { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'not for you' })(response, at)
  })
  for (const open of [openQueue, inspectQueue]) {
    await expect(open(readConfig({ AWS_ENDPOINT_URL: server.url, SQS_TRANSPORT }))).rejects.toThrow('not for you')
  }
  expect(await Promise.all(closed)).toHaveLength(2)
})

test.each(['sdk', 'thin'])(
  'a stop ends the opening of a queue while credentials are fetched (%s)',
  async (SQS_TRANSPORT) => {
    await using server = await openHttpScript(() => {}) // never answers
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/nowhere')
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${server.url}/credentials`)
    for (const open of [openQueue, inspectQueue]) {
      const stop = new AbortController()
      const asked = server.requests.length
      const opening = open(readConfig({ SQS_TRANSPORT }), stop.signal).then(
        () => 'opened',
        (error: Error) => error.message,
      )
      await until('the credentials to be asked for', () => server.requests.length > asked)
      stop.abort(new Error('stopped by the test'))
      expect(await opening).toContain('(stopped by the test)')
    }
  },
)
