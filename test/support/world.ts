import { randomBytes } from 'node:crypto'
import { startFauxqs } from 'fauxqs'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { inject } from 'vitest'
import type { PartitionScope } from '../../src/app.ts'
import { type Config, readConfig } from '../../src/config/config.ts'
import { makeControlKeys, makeKeys } from '../../src/keys.ts'
import { onLoopback } from '../../src/ops/local/emulators.ts'
import { allow, rulesFor } from '../../src/ops/rights/acl.ts'
import { actors, newerExtrasOf } from '../../src/ops/rights/commands.ts'
import { formatOf } from '../../src/order/format.ts'
import { openTelemetry } from '../../src/telemetry.ts'
import { shipped } from './stages.ts'
import { hasWaitAof } from './waitaof.ts'
import { emulatorOfWorker } from './worker-emulator.ts'

/**
 * An empty database of this worker's own, and a connection that may do all there. With TEST_REDIS_USER=minimal its URL, and
 * what `appOn` gives, is that of a user with the rights of docs/redis-rights.md alone, and a test fails where they are too few.
 */
export async function emptyRedis(): Promise<{ url: string; redis: Redis } & AsyncDisposable> {
  const url = new URL(inject('redisUrl') ?? (await emulatorOfWorker()))
  url.pathname = `/${process.env['VITEST_POOL_ID'] ?? 1}`
  const redis = new Redis(url.href)
  await redis.flushdb()
  const minimal = process.env['TEST_REDIS_USER'] === 'minimal' && inject('redisUrl') !== undefined
  if (!minimal) return { url: url.href, redis, [Symbol.asyncDispose]: async () => redis.disconnect() }
  const user = await minimalUser(redis)
  url.username = user
  url.password = 'secret'
  const limited = new Redis(url.href)
  limitedOf.set(redis, limited)
  const close = async (): Promise<void> => {
    const refused = await refusedTo(user, redis)
    limited.disconnect()
    await redis.call('ACL', 'DELUSER', user)
    redis.disconnect()
    if (refused.length > 0) throw new Error(`Redis refused: ${JSON.stringify(refused)}`)
  }
  return { url: url.href, redis, [Symbol.asyncDispose]: close }
}

/** Of stages that tests add. */
const ownKeys = ['~auditor:*', '~odd:*', '~wide:*', '~revenue:*', '~spend:*']

const limitedOf = new WeakMap<Redis, Redis>()

/** Creates a user of this database alone: other workers have theirs on the same server, and Redis logs who was refused. */
async function minimalUser(admin: Redis): Promise<string> {
  const user = `minimal-${randomBytes(4).toString('hex')}`
  const newer = (await hasWaitAof(admin)) ? newerExtrasOf(actors).map(allow) : [] // an older Redis refuses these names
  const rules = [...rulesFor(actors, { cluster: false, partitioned: false }), ...newer, '~{p*}:*', ...ownKeys]
  await admin.call('ACL', 'SETUSER', user, 'on', '>secret', ...rules)
  return user
}

/** Returns what Redis refused a user: a command or a key, and whether in a script. */
async function refusedTo(user: string, admin: Redis): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG', '128')) as string[][] // 128 is all that Redis keeps
  return log.flatMap(([, , , reason, , context, , object, , name]) =>
    name === user ? [`${reason} ${object} (${context})`] : [],
  )
}

/** An SQS of a test's own, with a queue name of its own, which may end in .fifo. */
export async function emptySqs(
  end = '',
): Promise<{ url: string; queueName: string; depth(): number } & AsyncDisposable> {
  using _ = onLoopback()
  const server = await startFauxqs({ port: 0, logger: false })
  const queueName = `orders-${randomBytes(4).toString('hex')}${end}`
  const depth = (): number => {
    const messages = server.inspectQueue(queueName)?.messages
    return messages ? messages.ready.length + messages.inflight.length : 0
  }
  return { url: `http://127.0.0.1:${server.port}`, queueName, depth, [Symbol.asyncDispose]: () => server.stop() }
}

export type Env = Readonly<Record<string, string>>

/**
 * Reads and claims so short that tests need not wait for them, and pollers so few that many processes fit on two cores.
 * TEST_SQS_TRANSPORT=thin runs any test over the thin client.
 */
const quick: Env = {
  CALENDAR: 'off', // tests of the calendar switch it on
  BRIDGE_POLLERS: '4',
  LEDGER_BUCKETS: '1024', // a validate that starts reads all of a small ledger
  START_WAIT_MS: '0',
  SQS_WAIT_TIME_SECONDS: '1',
  CLAIM_IDLE_MS: '1000',
  API_PORT: '0',
  SQS_TRANSPORT: process.env['TEST_SQS_TRANSPORT'] ?? '',
}

/** The ADMIN_TOKEN of processes under test, which `send` sends. */
export const adminToken = 'a-token-of-the-tests'

/** The environment of a process under test. */
export function envOf(redisUrl: string, sqs?: { url: string; queueName: string }, more: Env = {}): Env {
  return {
    ...quick,
    ADMIN_TOKEN: adminToken,
    REDIS_URL: redisUrl,
    ...(sqs && { AWS_ENDPOINT_URL: sqs.url, SQS_QUEUE_NAME: sqs.queueName }),
    ...more,
  }
}

/** An app on a test's own Redis, without a log, at its one partition, as `orders start` has it. */
export function appOn(
  redis: Redis,
  config: Config = readConfig({ ...quick }),
  more: Partial<PartitionScope> = {},
): PartitionScope {
  const keys = more.keys ?? makeKeys()
  return {
    config,
    format: formatOf(config),
    redis: limitedOf.get(redis) ?? redis,
    keys,
    pipeline: shipped,
    partitions: [keys],
    control: makeControlKeys([keys]),
    telemetry: openTelemetry(pino({ level: 'silent' })),
    instance: `test-${randomBytes(3).toString('hex')}`,
    trustsThisMachine: true,
    now: () => new Date(),
    pulse: new Map(),
    ...more,
  }
}
