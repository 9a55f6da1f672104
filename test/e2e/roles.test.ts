import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { inspectQueue, openQueue } from '../../src/ingest/sqs/queue.ts'
import { spawnOrders } from '../support/process.ts'
import { keyIn, openRoleServer } from '../support/roles.ts'
import { sendBodies } from '../support/send.ts'
import { openSqsProxy, type SqsProxy } from '../support/sqs-proxy.ts'
import { until } from '../support/until.ts'
import { type Env, emptyRedis, emptySqs, envOf } from '../support/world.ts'

afterEach(() => void vi.unstubAllEnvs())

const role = 'arn:aws:iam::123456789012:role/orders-bridge'

interface Source {
  /** The key or token by which credentials are asked for. */
  readonly by: string
  /** The environment in which the SDK finds the role, given the server and a folder for files. */
  env(url: string, folder: string): Env
}

const file = (folder: string, name: string, lines: readonly string[]): string => {
  writeFileSync(join(folder, name), lines.join('\n'))
  return join(folder, name)
}

const sources: Readonly<Record<string, Source>> = {
  'the token of a pod, as on EKS': {
    by: 'a-token-of-the-cluster',
    env: (url, folder) => ({
      AWS_WEB_IDENTITY_TOKEN_FILE: file(folder, 'token', ['a-token-of-the-cluster']),
      AWS_ROLE_ARN: role,
      AWS_ENDPOINT_URL_STS: url,
    }),
  },
  'a profile with role_arn and source_profile': {
    by: 'AKIASOURCE',
    env: (url, folder) => ({
      AWS_PROFILE: 'orders',
      AWS_CONFIG_FILE: file(folder, 'config', ['[profile orders]', `role_arn = ${role}`, 'source_profile = base']),
      AWS_SHARED_CREDENTIALS_FILE: file(folder, 'credentials', [
        ...['[base]', 'aws_access_key_id = AKIASOURCE', 'aws_secret_access_key = secret'],
      ]),
      AWS_ENDPOINT_URL_STS: url,
    }),
  },
  'the agent of ECS, and of EKS Pod Identity': {
    by: 'a-token-of-the-task',
    env: (url) => ({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/ecs`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a-token-of-the-task',
    }),
  },
  'the metadata of an EC2 instance': {
    by: 'session',
    env: (url) => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url }),
  },
}

/** The SDK takes credentials that expire in five minutes as expired. These are so after a second. */
const leaseSeconds = 301

test.for(
  Object.entries(sources).flatMap(([name, source]) => ['sdk', 'thin'].map((sqs) => [name, sqs, source] as const)),
)(
  'a bridge calls SQS with a role by %s, and takes new credentials before the old ones expire (%s)',
  async ([, transport, source]) => {
    await using redis = await emptyRedis()
    await using sqs = await emptySqs()
    await using roles = await openRoleServer(leaseSeconds)
    await sendBodies(envOf(redis.url, sqs), ['{}']) // makes the queue
    await using proxy: SqsProxy = await openSqsProxy(sqs.url, (name) =>
      // The host of the emulator's own URL does not resolve.
      name === 'GetQueueUrl' ? { QueueUrl: `${proxy.url}/000000000000/${sqs.queueName}` } : undefined,
    )
    const folder = mkdtempSync(join(tmpdir(), 'orders-roles-'))
    await using bridge = spawnOrders(['run', 'bridge'], {
      ...envOf(redis.url, { url: '', queueName: sqs.queueName }, { SQS_TRANSPORT: transport }),
      ...{ AWS_ENDPOINT_URL_SQS: proxy.url, HOME: folder, SQS_DELETE_AFTER: 'write', METRICS_PORT: '0' },
      ...source.env(roles.url, folder),
    })
    await bridge.started()
    const receives = () => proxy.calls.filter(({ name }) => name === 'ReceiveMessage')
    const keys = () => new Set(receives().map(({ headers }) => keyIn(headers.authorization)))
    await until('a second key', () => keys().size >= 2)
    await until('the message to be deleted', () => sqs.depth() === 0)
    expect(await bridge.stop()).toEqual({ code: 0, signal: null })

    const call = roles.given[0]?.call
    expect(keyIn(proxy.calls[0]?.headers.authorization)).toBe(`ASIA${call}1`)
    for (const { headers } of proxy.calls) {
      const at = keyIn(headers.authorization)?.replace(`ASIA${call}`, '')
      expect(headers['x-amz-security-token']).toBe(`token-${at}`)
    }
    expect(new Set(roles.given.map(({ by }) => by))).toEqual(new Set([source.by]))
    rmSync(folder, { recursive: true })
  },
)

test('all clients of a process share the credentials of a role', async () => {
  await using sqs = await emptySqs()
  await using roles = await openRoleServer(3_600)
  await using proxy: SqsProxy = await openSqsProxy(sqs.url, (name) =>
    name === 'GetQueueUrl' ? { QueueUrl: `${proxy.url}/000000000000/orders` } : undefined,
  )
  vi.stubEnv('AWS_ENDPOINT_URL_SQS', proxy.url)
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${roles.url}/ecs`)
  using _ = await openQueue(readConfig({ AWS_ENDPOINT_URL: sqs.url })) // makes the queue
  const config = readConfig({})
  using _queue = await openQueue(config)
  for (let at = 0; at < 3; at++) expect(await inspectQueue(config)).toMatchObject({ status: 'found' })
  expect(proxy.calls.length).toBeGreaterThan(3)
  expect(roles.given).toHaveLength(1)
})
