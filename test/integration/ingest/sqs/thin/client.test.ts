import { createHash, createHmac } from 'node:crypto'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  type Message,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  SQSServiceException,
} from '@aws-sdk/client-sqs'
import type { HttpRequest } from '@smithy/core/protocols'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { readConfig } from '../../../../../src/config/config.ts'
import { openTransport } from '../../../../../src/ingest/sqs/client.ts'
import { sha256 } from '../../../../../src/ingest/sqs/hashes.ts'
import { openThin } from '../../../../../src/ingest/sqs/thin/client.ts'
import { shapeOf } from '../../../../../src/ingest/sqs/thin/prepared-command.ts'
import type { Sqs } from '../../../../../src/ingest/sqs/types.ts'
import { type HttpScript, json, openHttpScript, type Reply } from '../../../../support/http-script.ts'
import { freePort } from '../../../../support/redis-server.ts'
import { stopwatch } from '../../../../support/stopwatch.ts'
import { until } from '../../../../support/until.ts'
import { type Env, emptySqs } from '../../../../support/world.ts'

const transports = ['sdk', 'thin'] as const
const limits = { connectMs: 5_000, answerMs: 30_000, maxSockets: 10 }

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

async function open(transport: string, url: string, more: Env = {}): Promise<Sqs & Disposable> {
  const sqs = await openTransport(readConfig({ AWS_ENDPOINT_URL: url, SQS_TRANSPORT: transport, ...more }))
  const send: Sqs['send'] = (command, options) => sqs.send(command, options)
  return { send, destroy: () => sqs.destroy(), [Symbol.dispose]: () => sqs.destroy() }
}

const QueueUrl = 'http://sqs.us-east-1.localhost/000000000000/orders'
const receive = () =>
  new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1, MaxNumberOfMessages: 10, AttributeNames: ['All'] })
/** Every call that src makes, members out of order and with bodies that are hard to carry. */
const commands = [
  receive,
  () =>
    new DeleteMessageBatchCommand({
      Entries: [
        { ReceiptHandle: 'a b+/=', Id: '0' },
        { Id: '1', ReceiptHandle: '"\\' },
      ],
      QueueUrl,
    }),
  () =>
    new ChangeMessageVisibilityBatchCommand({
      QueueUrl,
      Entries: [{ VisibilityTimeout: 0, Id: '0', ReceiptHandle: 'r' }],
    }),
  () =>
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: [
        { Id: '0', MessageBody: '{"user_id":"é😀\\u0000\\n","order_value":1e-7}' },
        { MessageBody: 'a\tb\nc\u2028', Id: '1' },
      ],
    }),
  () => new GetQueueUrlCommand({ QueueName: 'orders' }),
  () => new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['RedrivePolicy', 'ApproximateNumberOfMessages'] }),
  () =>
    new CreateQueueCommand({ QueueName: 'orders', Attributes: { VisibilityTimeout: '30', RedrivePolicy: '{"a":1}' } }),
] as const

/** Time and names stand still, and no retry waits. */
function freeze(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 23, 8, 0, 0) })
  vi.spyOn(crypto, 'randomUUID').mockReturnValue('4c5f6f1c-3b0a-4a2f-9d59-5d0f0f5d7c11')
  vi.spyOn(Math, 'random').mockReturnValue(0)
}

describe('requests are the same to the byte as those of the SDK, signature included', () => {
  const own = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
  for (const [name, more] of Object.entries<Env>({
    'with keys': own,
    'with a session token': { ...own, AWS_SESSION_TOKEN: 'AQoDYXdzEPT//////////wEXAMPLE==' },
    'in another region': { ...own, AWS_REGION: 'eu-central-1' },
  })) {
    test(name, async () => {
      freeze()
      await using server = await openHttpScript(json(200, {}))
      for (const transport of transports) {
        using sqs = await open(transport, server.url, more)
        for (let again = 0; again < 2; again++) for (const command of commands) await send(sqs, command())
      }
      const sent = server.requests.map(comparable)
      const half = 2 * commands.length
      expect(sent).toHaveLength(2 * half)
      expect(sent.slice(half)).toEqual(sent.slice(0, half))
      expect(sent[0]?.headers['authorization']).toMatch(
        /SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;.*Signature=[0-9a-f]{64}$/,
      )
    })
  }

  test('below a path of the endpoint, and again with a new signature when a try fails', async () => {
    freeze()
    const failFirst: Reply = (response, at) => json(at % 2 === 0 ? 500 : 200, {})(response, at)
    await using server = await openHttpScript(failFirst)
    for (const transport of transports) {
      using sqs = await open(transport, `${server.url}/some/path`)
      await sqs.send(receive())
    }
    const sent = server.requests.map(comparable)
    expect(sent).toHaveLength(4)
    expect(sent.slice(2)).toEqual(sent.slice(0, 2))
    expect(sent[2]?.url).toBe('/some/path/')
    expect(sent[3]?.headers['amz-sdk-request']).toBe('attempt=2; max=3')
  })
})

test('without an endpoint it goes where the SDK goes: to the region, or to the host of the queue', async () => {
  freeze()
  vi.spyOn(console, 'warn').mockReturnValue() // the SDK warns of the other host
  const hosts = ['sqs.eu-central-1.amazonaws.com', 'vpce-1.sqs.eu-central-1.vpce.amazonaws.com:8443']
  for (const host of hosts) {
    const seen: HttpRequest[] = []
    const requestHandler = {
      handle: async (request: HttpRequest) => {
        seen.push(request)
        throw new Error('seen')
      },
    }
    const options = { region: 'eu-central-1', credentials: keys('KEY') }
    const command = () => new ReceiveMessageCommand({ QueueUrl: `https://${host}/000000000000/orders` })
    await failure(new SQSClient({ ...options, requestHandler }).send(command()))
    const shape = await shapeOf(new SQSClient(options), command())
    const { headers, ...request } = await shape.request(command().input)
    expect(seen[0]).toMatchObject({ ...request, body: expect.anything(), headers })
    expect(headers['host']).toBe(host)
  }
})

/** Leaves out headers of the connection, which are not signed and may differ between the transports. */
function comparable({ headers, ...request }: HttpScript['requests'][number]) {
  const { connection: _, ...signed } = headers
  return { ...request, headers: signed }
}

/** One call of the list, whichever. */
async function send(sqs: Sqs, command: ReturnType<(typeof commands)[number]>): Promise<object> {
  return sqs.send(command as ReceiveMessageCommand)
}

test('the hash under the signature is SHA-256 and HMAC', async () => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  await fc.assert(
    fc.asyncProperty(fc.option(bytes), bytes, fc.string(), async (secret, first, second) => {
      const ours = new sha256(secret ?? undefined)
      const theirs = secret ? createHmac('sha256', secret) : createHash('sha256')
      for (const part of [first, second]) {
        ours.update(part)
        theirs.update(part)
      }
      expect(Buffer.from(await ours.digest()).toString('hex')).toBe(theirs.digest('hex'))
    }),
  )
})

describe('answers and errors are those of the SDK', () => {
  test('from an SQS: what is there and what is not', async () => {
    await using server = await emptySqs()
    const seen = []
    for (const transport of transports) {
      using sqs = await open(transport, server.url)
      const name = `${server.queueName}-${transport}`
      const missing = await failure(sqs.send(new GetQueueUrlCommand({ QueueName: name })))
      expect(missing).toBeInstanceOf(QueueDoesNotExist)
      const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }))
      const Entries = [{ Id: 'a', MessageBody: 'é' }]
      const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
      const { Messages = [], $metadata } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }))
      const handles = [{ Id: '0', ReceiptHandle: Messages[0]?.ReceiptHandle }]
      const gone = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: handles }))
      const bad = [{ Id: '0', ReceiptHandle: 'bad', VisibilityTimeout: 1 }]
      const refused = await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: bad }))
      const none = await failure(sqs.send(new ReceiveMessageCommand({ QueueUrl: `${QueueUrl}-none` })))
      seen.push(
        plain(
          { missing: reportOf(missing), sent, Messages, $metadata, gone, refused, none: reportOf(none) },
          transport,
        ),
      )
      expect(await sqs.send(new ListQueuesCommand({}))).toMatchObject({ QueueUrls: expect.any(Array) })
    }
    expect(seen[1]).toEqual(seen[0])
  })

  const ids = { 'x-amzn-requestid': 'req-1', 'x-amz-id-2': 'ext-1', 'x-amz-cf-id': 'cf-1' }
  const message = (MD5OfBody: string): Message => ({ MessageId: 'm1', Body: 'body', MD5OfBody, ReceiptHandle: 'r' })
  const cases: Record<string, { reply: Reply; tries: number; command?: () => ReceiveMessageCommand }> = {
    'an unknown queue, by the query protocol': {
      reply: json(
        400,
        { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'no such queue' },
        { ...ids, 'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender' },
      ),
      tries: 1,
    },
    'a bad receipt handle': {
      reply: json(400, { __type: 'com.amazonaws.sqs#ReceiptHandleIsInvalid', message: 'bad' }, ids),
      tries: 1,
    },
    'an unknown error': { reply: json(400, { __type: 'Odd#Thing', Message: 'odd', more: [1] }, ids), tries: 1 },
    'access denied': {
      reply: json(403, { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'no' }, ids),
      tries: 1,
    },
    'an error without a body': { reply: (response) => void response.writeHead(404).end(), tries: 1 },
    'a redirect': { reply: (response) => void response.writeHead(301, { location: '/' }).end(), tries: 1 },
    'an internal error': { reply: json(500, { __type: 'InternalFailure', message: 'oops' }, ids), tries: 3 },
    'a bad gateway that speaks HTML': {
      reply: (response) => void response.writeHead(502).end('<html>Bad Gateway</html>'),
      tries: 3,
    },
    'not implemented': { reply: json(501, { __type: 'NotImplemented', message: 'no' }), tries: 1 },
    throttling: {
      reply: json(
        400,
        { __type: 'com.amazonaws.sqs#RequestThrottled', message: 'slower' },
        { ...ids, 'x-amzn-query-error': 'RequestThrottled;Sender' },
      ),
      tries: 3,
    },
    'throttling with a time to wait': {
      reply: json(429, { __type: 'TooManyRequestsException' }, { 'x-amz-retry-after': '150' }),
      tries: 3,
    },
    'a clock that is wrong': {
      reply: json(
        403,
        { __type: 'InvalidSignatureException', message: 'Signature expired' },
        { date: 'Mon, 23 Nov 2026 10:00:00 GMT' },
      ),
      tries: 3,
    },
    'an answer that is not JSON': {
      reply: (response) => void response.writeHead(200, ids).end('{"Messages":['),
      tries: 1,
    },
    'an answer without a body': { reply: (response) => void response.writeHead(200, ids).end(), tries: 1 },
    'a connection that ends within the body': {
      reply: (response) => {
        response.writeHead(200, { 'content-length': '100', ...ids })
        response.write('{"Messages":', () => response.destroy())
      },
      tries: 3,
    },
    'a connection that ends before the answer': { reply: (response) => void response.destroy(), tries: 3 },
    'a body that does not match its checksum': { reply: json(200, { Messages: [message('0'.repeat(32))] }), tries: 1 },
    'a body that matches its checksum': {
      reply: json(200, { Messages: [message('841a2d689ad86bd1611447453c22c6fc')], Unknown: 1 }, ids),
      tries: 1,
    },
  }
  for (const [name, { reply, tries }] of Object.entries(cases)) {
    test(name, async () => {
      freeze()
      const seen = []
      for (const transport of transports) {
        await using server = await openHttpScript(reply)
        using sqs = await open(transport, server.url)
        const came = await sqs.send(receive()).catch((error: unknown) => reportOf(error))
        const dates = server.requests.map(({ headers }) => headers['x-amz-date'])
        seen.push(plain({ came, tries: server.requests.length, dates }, transport))
      }
      expect(seen[1]).toEqual(seen[0])
      expect(seen[1]).toMatchObject({ tries })
    })
  }

  test('a body that SQS took otherwise than it was sent', async () => {
    const Successful = [{ Id: '0', MessageId: 'm1', MD5OfMessageBody: '0'.repeat(32) }]
    await using server = await openHttpScript(json(200, { Successful }))
    const seen = []
    for (const transport of transports) {
      using sqs = await open(transport, server.url)
      const Entries = [{ Id: '0', MessageBody: 'body' }]
      seen.push(reportOf(await failure(sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })))))
    }
    expect(seen[1]).toEqual(seen[0])
    expect(seen[1]).toMatchObject({ message: 'Invalid MD5 checksum on messages: m1' })
  })

  test('a server whose clock is ahead: the next call is signed with its time', async () => {
    freeze()
    const seen = []
    for (const transport of transports) {
      await using server = await openHttpScript(json(200, {}, { date: 'Mon, 23 Nov 2026 08:10:00 GMT' }))
      using sqs = await open(transport, server.url)
      for (let call = 0; call < 2; call++) await sqs.send(receive())
      seen.push(server.requests.map(({ headers }) => headers['x-amz-date']))
    }
    expect(seen).toEqual(Array(2).fill(['20261123T080000Z', '20261123T081000Z']))
  })

  test('a refused connection', async () => {
    freeze()
    const url = `http://127.0.0.1:${await freePort()}`
    const seen = []
    for (const transport of transports) {
      using sqs = await open(transport, url)
      seen.push(reportOf(await failure(sqs.send(receive()))))
    }
    expect(seen[1]).toEqual(seen[0])
    expect(seen[1]).toMatchObject({ code: 'ECONNREFUSED', $metadata: { attempts: 3 } })
  })

  test('after an outage the next call works, and the retries left are those of the SDK', async () => {
    freeze()
    const seen = []
    for (const transport of transports) {
      await using server = await openHttpScript((response, at) => json(at < 120 ? 500 : 200, {})(response, at))
      using sqs = await open(transport, server.url)
      const tries: number[] = []
      for (let before = 0; before < 120; before = server.requests.length) {
        await sqs.send(receive()).catch(() => {})
        tries.push(server.requests.length - before)
      }
      await sqs.send(receive())
      seen.push(tries)
    }
    expect(seen[1]).toEqual(seen[0])
    expect(seen[1]).toContain(1) // the bucket of retries was empty
  })
})

describe('a call that is aborted ends at once, with the error of the SDK', () => {
  const silent: Reply = () => {}
  /** `asked` aborts a moment after the first request has come. */
  const cases: Record<string, { reply: Reply; signal: (asked: AbortSignal) => AbortSignal; requests: number }> = {
    'before it is sent': { reply: silent, signal: () => AbortSignal.abort(), requests: 0 },
    'with a reason of its own': { reply: silent, signal: () => AbortSignal.abort('enough'), requests: 0 },
    'while it waits for the answer': { reply: silent, signal: (asked) => asked, requests: 1 },
    'by one signal of two': {
      reply: silent,
      signal: (asked) => AbortSignal.any([new AbortController().signal, asked]),
      requests: 1,
    },
    'while it waits to try again': {
      reply: json(429, {}, { 'x-amz-retry-after': '4000' }),
      signal: (asked) => asked,
      requests: 1,
    },
  }
  for (const [name, { reply, signal, requests }] of Object.entries(cases)) {
    test(name, async () => {
      const seen = []
      for (const transport of transports) {
        const asked = new AbortController()
        await using server = await openHttpScript((response, at) => {
          setTimeout(() => asked.abort(), 200)
          reply(response, at)
        })
        using sqs = await open(transport, server.url)
        using watch = stopwatch()
        const error = await failure(sqs.send(receive(), { abortSignal: signal(asked.signal) }))
        expect(watch.ms()).toBeLessThan(2_000)
        seen.push({
          reported: reportOf(error),
          cause: reportOf((error as Error).cause),
          requests: server.requests.length,
        })
      }
      expect(seen[1]).toEqual(seen[0])
      expect(seen[1]).toMatchObject({ reported: { name: 'AbortError' }, requests })
    })
  }

  test('and its connection is closed, while another call goes on', async () => {
    const closed: number[] = []
    await using server = await openHttpScript((response, at) => {
      response.once('close', () => closed.push(at))
      if (at === 1) setTimeout(() => json(200, {})(response, at), 400)
    })
    using sqs = await open('thin', server.url)
    const leave = new AbortController()
    const aborted = failure(sqs.send(receive(), { abortSignal: leave.signal }))
    await until('the first request', () => server.requests.length > 0)
    const other = sqs.send(receive())
    leave.abort()
    await aborted
    await until('the connection to be closed', () => closed.includes(0))
    expect(await other).toMatchObject({ $metadata: { httpStatusCode: 200 } })
  })

  test('destroy ends what is under way', async () => {
    await using server = await openHttpScript(silent)
    using sqs = await open('thin', server.url)
    const call = failure(sqs.send(receive()))
    await until('the request', () => server.requests.length > 0)
    sqs.destroy()
    expect(await call).toBeInstanceOf(Error)
    expect(server.requests).toHaveLength(1)
  })
})

test('destroy closes the connection of a call that the client of the SDK makes', async () => {
  const closed = Promise.withResolvers<string>()
  await using server = await openHttpScript((response, at) => {
    const socket = response.socket as Socket & { readonly server: Server }
    socket.server.keepAliveTimeout = 0 // only the client closes it
    socket.once('close', () => closed.resolve('closed'))
    json(200, { QueueUrls: [] })(response, at)
  })
  const sqs = await open('thin', server.url)
  await sqs.send(new ListQueuesCommand({}))
  sqs.destroy()
  expect(await closed.promise).toBe('closed')
})

test('an answer that does not come in time is a TimeoutError, and tried again', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  await using server = await openHttpScript(() => {})
  const client = new SQSClient({ region: 'us-east-1', endpoint: server.url, credentials: keys('A'), maxAttempts: 2 })
  const sqs = openThin(client, { ...limits, answerMs: 500 })
  const error = await failure(sqs.send(receive()))
  expect(error).toMatchObject({ name: 'TimeoutError', code: 'ETIMEDOUT', $metadata: { attempts: 2 } })
  expect(server.requests).toHaveLength(2)
  sqs.destroy()
})

const keys = (accessKeyId: string, expiration?: Date) => ({
  accessKeyId,
  secretAccessKey: 'secret',
  ...(expiration && { expiration }),
})

describe('credentials come from the provider of the SDK', () => {
  test('once while they last, once more when they expire, however many calls are waiting', async () => {
    freeze()
    let given = 0
    const provider = async () => keys(`KEY${++given}`, new Date(Date.now() + 3_600_000))
    await using server = await openHttpScript(json(200, {}))
    const sqs = openThin(new SQSClient({ region: 'us-east-1', endpoint: server.url, credentials: provider }), limits)
    const callers = async (): Promise<unknown[]> => {
      const from = server.requests.length
      await Promise.all(Array.from({ length: 8 }, () => sqs.send(receive())))
      return server.requests
        .slice(from)
        .map(({ headers }) => /Credential=(\w+)/.exec(String(headers.authorization))?.[1])
    }
    expect(await callers()).toEqual(Array(8).fill('KEY1'))
    vi.setSystemTime(Date.now() + 3_590_000)
    const meanwhile = await callers() // the old ones are good for another ten seconds
    expect(new Set(meanwhile).isSubsetOf(new Set(['KEY1', 'KEY2']))).toBe(true)
    expect(await callers()).toEqual(Array(8).fill('KEY2'))
    vi.setSystemTime(Date.now() + 7_200_000)
    expect(await callers()).toEqual(Array(8).fill('KEY3'))
    expect(given).toBe(3)
    sqs.destroy()
  })

  test('a provider that fails is not tried again by the call, but by the next one', async () => {
    await using server = await openHttpScript(json(200, {}))
    const seen = []
    for (const transport of transports) {
      let asked = 0
      const provider = async () => {
        if (asked++ === 0) throw Object.assign(new Error('no credentials'), { name: 'CredentialsProviderError' })
        return keys('KEY')
      }
      const client = new SQSClient({ region: 'us-east-1', endpoint: server.url, credentials: provider })
      const sqs: Sqs = transport === 'thin' ? openThin(client, limits) : client
      const error = reportOf(await failure(sqs.send(receive())))
      const { $metadata } = await sqs.send(receive())
      seen.push({ error, asked, status: $metadata.httpStatusCode })
      sqs.destroy()
    }
    expect(seen[1]).toEqual(seen[0])
    expect(seen[1]).toMatchObject({ error: { name: 'CredentialsProviderError' }, asked: 2, status: 200 })
  })
})

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    (came) => expect.fail(`it did not fail but came to ${JSON.stringify(came)}`),
    (error: unknown) => error,
  )
}

/** All that code can see of an error, but where it was thrown. */
function reportOf(error: unknown): object {
  if (!(error instanceof Error)) return { error }
  return {
    ...error,
    name: error.name,
    message: error.message,
    prototype: Object.getPrototypeOf(error).constructor.name,
    ofSqs: error instanceof SQSServiceException,
  }
}

/** Without what is new in every call: ids, handles, ports, and the transport's name in queue names. */
function plain(seen: object, transport: string): unknown {
  const fresh = new Set(['MessageId', 'ReceiptHandle', 'requestId', 'RequestId', 'totalRetryDelay'])
  const text = JSON.stringify(seen, (key, value) => (fresh.has(key) ? typeof value : value))
  return JSON.parse(text.replaceAll(`-${transport}`, ''))
}
