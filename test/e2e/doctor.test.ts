import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { Redis } from 'ioredis'
import { describe, expect, type TestContext, test } from 'vitest'
import { type Config, readConfig } from '../../src/config/config.ts'
import { openQueue } from '../../src/ingest/sqs/queue.ts'
import { makeKeys } from '../../src/keys.ts'
import { examineQueue, examineRedis } from '../../src/ops/checks/checks.ts'
import { redisClock } from '../../src/ops/checks/clocks.ts'
import type { Finding } from '../../src/ops/checks/finding.ts'
import { judgeLedger } from '../../src/ops/checks/ledger.ts'
import { version } from '../../src/ops/checks/redis.ts'
import { readServers } from '../../src/ops/checks/server.ts'
import { judgeSpread } from '../../src/ops/checks/spread.ts'
import { findingLines } from '../../src/ops/commands/inspect/doctor.ts'
import { roleNames } from '../../src/ops/process/roles.ts'
import { textOf } from '../../src/ops/terminal/output.ts'
import { localEmulator } from '../support/emulator.ts'
import { spawnOrders } from '../support/process.ts'
import { freePort, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { until } from '../support/until.ts'
import { hasWaitAof } from '../support/waitaof.ts'
import { appOn, type Env, emptySqs, envOf } from '../support/world.ts'

/** A redis-server of a test's own, with a client. */
async function ownRedis(context: TestContext, ...options: string[]) {
  requireRedisServer(context)
  const server = await spawnRedisServer(...options)
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  const close = async (): Promise<void> => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { ...server, redis, [Symbol.asyncDispose]: close }
}

const configOf = (env: Env = {}): Config => readConfig({ ...env })

async function finding(redis: Redis, check: string, env: Env = {}): Promise<Finding | undefined> {
  const findings = await examineRedis(appOn(redis, configOf(env)), roleNames)
  return findings.find((finding) => finding.check === check)
}

interface Report {
  readonly ok: boolean
  readonly checks: readonly Finding[]
}

async function doctor(env: Env, cwd?: string): Promise<Report & { code: number | null }> {
  await using orders = spawnOrders(['doctor', '--json'], env, cwd === undefined ? {} : { cwd })
  const { code } = await orders.exit()
  expect(orders.stderr()).toBe('')
  return { ...(JSON.parse(orders.stdout()) as Report), code }
}

const levelsOf = (checks: readonly Finding[]): Record<string, string> =>
  Object.fromEntries(checks.map(({ check, level }) => [check, level]))

/** Rules for a user as of a server before 7.2, which has no WAITAOF. */
async function withoutWaitAof(redis: Redis): Promise<string[]> {
  return (await hasWaitAof(redis)) ? ['-waitaof'] : []
}

test('on a sound system all is well, and nothing is written or created', async (context) => {
  await using redis = await ownRedis(context)
  await using sqs = await emptySqs()
  const env = envOf(redis.url, sqs)
  const before = await doctor(env)
  expect(before).toMatchObject({ ok: true, code: 0 })
  expect(before.checks.filter(({ level }) => level !== 'ok')).toEqual([
    {
      check: 'queue',
      level: 'warning',
      found: `${sqs.queueName} at ${sqs.url} is missing`,
      advice: 'No action needed: the first bridge that starts creates it.',
    },
  ])
  expect(await redis.redis.dbsize()).toBe(0)
  await using again = runOrders(['doctor'], env)
  expect(await again.exit()).toEqual({ code: 0, signal: null })
  const lines = again.stdout().split('\n')
  expect(lines[0]).toMatch(/^ok {7}redis version {7}\d+\.\d+\.\d+ at redis:\/\/127\.0\.0\.1:\d+$/)
  expect(lines).toContain(`warning  queue               ${sqs.queueName} at ${sqs.url} is missing`)
  expect(lines.slice(-2)).toEqual(['1 warning, no errors.', ''])
})

test('it finds the local emulators of an orders start in the same folder, which started without a warning', async (context) => {
  requireRedisServer(context)
  const folder = await mkdtemp(join(tmpdir(), 'orders-doctor-'))
  try {
    await using system = spawnOrders(['start'], { API_PORT: '0' }, { cwd: folder })
    await system.started()
    const report = await doctor({}, folder)
    expect(report.checks.filter(({ level }) => level !== 'ok')).toEqual([])
    expect(report).toMatchObject({ ok: true, code: 0 })
    expect(system.events('checkWarned')).toEqual([])
    await system.stop()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('what cannot be reached is one line each, and exit code 1', async () => {
  const [redisPort, sqsPort] = [await freePort(), await freePort()]
  const sqs = { url: `http://127.0.0.1:${sqsPort}`, queueName: 'orders' }
  const { ok, code, checks } = await doctor(envOf(`redis://u:secret@127.0.0.1:${redisPort}`, sqs))
  expect({ ok, code }).toEqual({ ok: false, code: 1 })
  expect(checks).toEqual([
    { check: 'redis', level: 'error', found: expect.stringMatching(/^Redis does not answer at redis:\/\/\*\*\*@127/) },
    { check: 'queue', level: 'error', found: expect.stringMatching(/^SQS cannot open the queue orders at http:/) },
  ])
})

test('findings are shown in columns, with what to do below', () => {
  const findings: Finding[] = [
    { check: 'eviction', level: 'ok', found: 'noeviction' },
    { check: 'append-only file', level: 'warning', found: 'off', advice: 'Switch it on.' },
    { check: 'clock', level: 'error', found: 'stopped', advice: 'Wind it up.' },
    { check: 'queue', level: 'error', found: 'SQS is away: fetch it.' },
  ]
  expect(textOf(findingLines(findings)).split('\n').slice(0, -1)).toEqual([
    'ok       eviction          noeviction',
    'warning  append-only file  off',
    '                           → Switch it on.',
    'error    clock             stopped',
    '                           → Wind it up.',
    'error    queue             SQS is away: fetch it.',
    '',
    '1 warning, 2 errors.',
  ])
})

describe('a start', () => {
  test('is refused with one line per error, and nothing is started', async (context) => {
    await using redis = await ownRedis(context, '--maxmemory-policy', 'allkeys-lru', '--appendonly', 'no')
    await using sqs = await emptySqs()
    const env = envOf(redis.url, sqs, { SQS_DELETE_AFTER: 'fsync' })
    await using orders = runOrders(['run', 'bridge', 'validate'], env)
    expect(await orders.exit()).toEqual({ code: 1, signal: null })
    expect(orders.stderr().trimEnd().split('\n')).toEqual([
      'Eviction: maxmemory-policy allkeys-lru. Set maxmemory-policy noeviction, or Redis deletes orders when it is full.',
      'Durability: SQS_DELETE_AFTER=fsync, but there is no append-only file. Turn on appendonly or set SQS_DELETE_AFTER=write: messages would never be deleted from SQS.',
    ])
    expect(await redis.redis.exists(makeKeys().stream('raw'))).toBe(0)
    expect(await examineQueue(configOf(env))).toMatchObject([{ check: 'queue', level: 'warning' }])
  })

  test('warns once of each thing, and only of what concerns its roles', async (context) => {
    await using redis = await ownRedis(context, '--appendonly', 'no')
    await using sqs = await emptySqs()
    const env = envOf(redis.url, sqs)
    await using bridge = runOrders(['run', 'bridge'], env)
    await using others = runOrders(['run', 'validate', 'api'], env)
    await Promise.all([bridge.started(), others.started()])
    expect(bridge.events('checkWarned')).toMatchObject([
      {
        level: 40,
        check: 'durability',
        found: 'no append-only file: `write` is in force',
        advice: expect.stringMatching(/^Turn on appendonly, or set SQS_DELETE_AFTER: /),
      },
    ])
    expect(others.events('checkWarned')).toEqual([])
  })

  test('on the emulator says nothing, and the doctor one word', async () => {
    const { url, stop } = await localEmulator()
    try {
      await using validate = runOrders(['run', 'validate'], envOf(url))
      await validate.started()
      expect(validate.events('checkWarned')).toEqual([])
      const { checks } = await doctor(envOf(url))
      expect(levelsOf(checks)).toMatchObject({ emulator: 'warning' })
      expect(Object.keys(levelsOf(checks))).toHaveLength(3)
    } finally {
      await stop()
    }
  })
})

test('a Redis that is too old, nearly so, or does not say', async (context) => {
  await using redis = await ownRedis(context)
  const [server] = await readServers(appOn(redis.redis), ['bridge'])
  if (!server) throw new Error('no server')
  const judge = (found?: string) => version({ ...server, info: { redis_version: found } }, configOf()).level
  expect(['6.0.16', '6.2.14', '7.0.15', '7.2.4', '8.0.0', undefined].map(judge)).toEqual([
    'error',
    'warning',
    'ok',
    'ok',
    'ok',
    'warning',
  ])
  expect(version(server, configOf()).level).toBe('ok')
  const valkey = { ...server, info: { redis_version: '7.2.4', valkey_version: '8.1.0' } }
  expect(version(valkey, configOf()).found).toMatch(/^7\.2\.4 \(Valkey 8\.1\.0\) at /)
})

describe('the rights of the user', () => {
  test('without CONFIG and ACL what cannot be read is a warning, and the start goes on', async (context) => {
    await using redis = await ownRedis(context)
    const rules = ['~*', '&*', '+@all', '-config', '-acl', ...(await withoutWaitAof(redis.redis))]
    await redis.redis.call('ACL', 'SETUSER', 'shop', 'on', '>secret', ...rules)
    const url = redis.url.replace('//', '//shop:secret@')
    const { checks, code } = await doctor(envOf(url, await queueOf(context)))
    expect(code).toBe(0)
    expect(checks.filter(({ level }) => level === 'warning')).toMatchObject([
      { check: 'commands', found: 'cannot be read' },
      { check: 'durability', advice: 'Make sure that appendfsync, which cannot be read, is everysec or always.' },
    ])
    await using validate = runOrders(['run', 'validate'], envOf(url))
    await validate.started()
    expect(validate.events('checkWarned').map(({ check }) => check)).toEqual(['commands'])
  })

  test('without INFO nothing is an error', async (context) => {
    await using redis = await ownRedis(context)
    const rules = ['~*', '+@all', '-info', '-config', '-acl', ...(await withoutWaitAof(redis.redis))]
    await redis.redis.call('ACL', 'SETUSER', 'shop', 'on', '>secret', ...rules)
    await using shop = connect(redis.url.replace('//', '//shop:secret@'))
    const levels = levelsOf(await examineRedis(appOn(shop.redis), roleNames))
    expect(Object.values(levels)).not.toContain('error')
    for (const check of ['redis version', 'eviction', 'memory', 'durability', 'replication']) {
      expect([check, levels[check]]).toEqual([check, 'warning'])
    }
  })

  test('a command or a key that is forbidden is an error', async (context) => {
    await using redis = await ownRedis(context)
    const rights = [
      'on',
      '>secret',
      '~orders:*',
      '~ledger:*',
      '~user:*',
      '~pipeline:*',
      '~global:*',
      '~leaderboard:*',
      '~invalid:*',
      '~outcome:*',
    ]
    await redis.redis.call('ACL', 'SETUSER', 'shop', ...rights, '~{jobs}:*', '+@all', '-xadd')
    await using shop = connect(redis.url.replace('//', '//shop:secret@'))
    expect(await finding(shop.redis, 'commands')).toEqual({
      check: 'commands',
      level: 'error',
      found: 'user shop may not use xadd, invalid_orders',
      advice: 'Allow them with ACL SETUSER: orders doctor --acl prints the line.',
    })
  })
})

test('memory beyond the high-water mark', async (context) => {
  await using redis = await ownRedis(context, '--maxmemory', '100mb')
  expect(await finding(redis.redis, 'memory')).toMatchObject({
    level: 'ok',
    found: expect.stringMatching(/^\d+ MB of 105 MB used \(\d+ %\)$/),
  })
  expect(await finding(redis.redis, 'memory', { HIGH_WATER_MEMORY: '1' })).toMatchObject({
    level: 'warning',
    advice: expect.stringMatching(/^Raise maxmemory: at 1 % /),
  })
  await redis.redis.config('SET', 'maxmemory', '0')
  expect(await finding(redis.redis, 'memory')).toMatchObject({
    level: 'ok',
    found: expect.stringMatching(/no maxmemory: only HIGH_WATER_ORDERS limits the bridge$/),
  })
})

test('the guarantee in force is that of the facts of Redis and SQS_DELETE_AFTER', async (context) => {
  await using redis = await ownRedis(context)
  const judge = async (appendonly: string, appendfsync: string, after: string): Promise<string> => {
    await redis.redis.config('SET', 'appendonly', appendonly, 'appendfsync', appendfsync)
    const { level, found } = (await finding(redis.redis, 'durability', { SQS_DELETE_AFTER: after })) ?? {}
    return `${level}: ${found}`
  }
  const once = 'ok: a message is deleted from SQS once'
  const onDisk = /its order is on the disk of Redis \((WAITAOF|2 s after the write, if no fsync is outstanding)\)$/
  expect(await judge('yes', 'everysec', '')).toMatch(onDisk)
  expect(await judge('yes', 'always', 'fsync')).toBe(
    `${once} Redis has replied: nothing is lost, as fsync comes before the reply`,
  )
  expect(await judge('yes', 'no', 'fsync')).toBe('error: appendfsync no')
  expect(await judge('yes', 'everysec', 'write')).toBe(
    `${once} Redis has replied: up to a second of orders can be lost`,
  )
  expect(await judge('yes', 'no', 'replicas:1')).toBe(`${once} 1 replica has its order (WAIT)`)
  expect(await judge('no', 'everysec', '')).toBe('warning: no append-only file: `write` is in force')
  expect(await judge('no', 'everysec', 'fsync')).toBe('error: SQS_DELETE_AFTER=fsync, but there is no append-only file')
  expect(await judge('no', 'everysec', 'write')).toBe(
    'ok: no append-only file: `write` is in force, as SQS_DELETE_AFTER says',
  )
})

test('a replica is an error; fewer replicas than SQS_DELETE_AFTER asks for are a warning', async (context) => {
  await using master = await ownRedis(context)
  const one = { SQS_DELETE_AFTER: 'replicas:1' }
  expect(await finding(master.redis, 'replication')).toMatchObject({ level: 'ok', found: 'master, 0 replicas' })
  expect(await finding(master.redis, 'replication', one)).toMatchObject({ level: 'warning' })
  await using replica = await ownRedis(context, '--replicaof', '127.0.0.1', String(master.port))
  await until(
    'the replica to be there',
    () => finding(master.redis, 'replication', one),
    (found) => found?.level === 'ok',
  )
  expect(await finding(replica.redis, 'replication')).toMatchObject({
    level: 'error',
    found: 'a replica, which takes no writes',
  })
})

test('a visibility timeout that a message may outlive', async (context) => {
  await using redis = await ownRedis(context)
  const judge = (seconds: string, more: Env = {}) =>
    finding(redis.redis, 'visibility timeout', { SQS_VISIBILITY_TIMEOUT_SECONDS: seconds, ...more })
  expect(await judge('12', { SQS_DELETE_AFTER: 'fsync' })).toMatchObject({ level: 'ok' })
  expect(await judge('7', { SQS_DELETE_AFTER: 'write' })).toEqual({
    check: 'visibility timeout',
    level: 'warning',
    found: '7 s; a message may take 4 s until it is deleted',
    advice: 'Set SQS_VISIBILITY_TIMEOUT_SECONDS to 8 or more, or SQS delivers messages again.',
  })
})

test('a clock that differs from that of Redis, by more than the way there and back explains', async (context) => {
  await using redis = await ownRedis(context)
  const at = (offsetMs: number, tripMs = 0) => {
    let asked = 0
    return redisClock(appOn(redis.redis, configOf(), { now: () => new Date(Date.now() + offsetMs + tripMs * asked++) }))
  }
  expect(await at(0)).toMatchObject({ level: 'ok' })
  // The way there and back takes a while on a busy machine.
  const ahead = expect.stringMatching(/^Redis' is (359\d|360\d)\.\d s ahead of ours$/)
  expect(await at(-3_600_000)).toMatchObject({ level: 'warning', found: ahead })
  const behind = expect.stringMatching(/^Redis' is (5[5-9]|6[0-4])\.\d s behind ours$/)
  expect(await at(60_000)).toMatchObject({ level: 'warning', found: behind })
  expect(await at(0, 6_000)).toMatchObject({ level: 'ok' })
})

describe('the ledger', () => {
  test('settings other than those of Redis are an error, not a refusal', async (context) => {
    await using redis = await ownRedis(context)
    await using set = runOrders(['run', 'validate'], envOf(redis.url))
    await set.started()
    const { code, checks } = await doctor(envOf(redis.url, await queueOf(context), { LEDGER_DAYS: '7' }))
    expect(code).toBe(1)
    expect(checks.filter(({ level }) => level === 'error')).toMatchObject([
      {
        check: 'ledger settings',
        found: expect.stringMatching(/LEDGER_DAYS=14, this process has 7: set LEDGER_DAYS=14/),
      },
    ])
  })

  test('buckets that fill up beyond the compact encoding are found, with a number that would do', async (context) => {
    await using redis = await ownRedis(context)
    const env = { LEDGER_DAYS: '1', LEDGER_BUCKETS: '128' }
    expect(await finding(redis.redis, 'ledger buckets', env)).toMatchObject({
      level: 'ok',
      found: '0 orders each when this generation ends (100 % of it is over)',
    })
    const generation = Math.floor(Date.now() / 86_400_000)
    const fields = Object.fromEntries(Array.from({ length: 450 }, (_, i) => [`f${i}`, 'v']))
    for (const day of [generation, generation + 1]) {
      for (let bucket = 0; bucket < 128; bucket++) await redis.redis.hset(makeKeys().ledger(day, bucket), fields)
    }
    expect(await finding(redis.redis, 'ledger buckets', env)).toMatchObject({
      level: 'warning',
      found: '450 orders each when this generation ends (100 % of it is over)',
      advice: expect.stringMatching(/LEDGER_BUCKETS=256 .* above 512 /),
    })
    await redis.redis.config('SET', 'hash-max-listpack-entries', '1024')
    expect(await finding(redis.redis, 'ledger buckets', env)).toMatchObject({ level: 'ok' })
  })

  test('partitions on the masters of a cluster: a warning from twice the mean on one', () => {
    expect(judgeSpread([7, 8, 7])).toEqual({ check: 'partitions', level: 'ok', found: '22 on 3 masters: 8, 7, 7' })
    expect(judgeSpread([2, 0, 6])).toMatchObject({ level: 'warning', found: '8 on 3 masters: 6, 2, 0' })
  })

  test('the volume so far is projected to the end of the generation', () => {
    const sample = { perBucket: 40, elapsed: 0.25 }
    expect(judgeLedger(sample, 65_536, 512)).toMatchObject({ level: 'ok', found: expect.stringMatching(/^160 orders/) })
    expect(judgeLedger(sample, 65_536, 128)).toMatchObject({
      level: 'warning',
      advice: expect.stringMatching(/LEDGER_BUCKETS=131072 /),
    })
  })
})

test('the queue: its redrive policy, and what is in its dead-letter queue', async () => {
  await using sqs = await emptySqs()
  const config = configOf({ AWS_ENDPOINT_URL: sqs.url, SQS_QUEUE_NAME: sqs.queueName })
  using queue = await openQueue(config)
  expect(levelsOf(await examineQueue(config))).toEqual({
    queue: 'ok',
    'redrive policy': 'ok',
    'dead letters': 'ok',
    'clock of SQS': 'ok',
  })

  const deadLetters = `${queue.url}-dlq`
  await queue.sqs.send(new SendMessageCommand({ QueueUrl: deadLetters, MessageBody: '{}' }))
  expect(levelsOf(await examineQueue(config))).toMatchObject({ 'dead letters': 'warning' })

  const make = async (name: string, redrive?: object): Promise<Config> => {
    const Attributes = redrive && { RedrivePolicy: JSON.stringify(redrive) }
    await queue.sqs.send(new CreateQueueCommand({ QueueName: name, ...(Attributes && { Attributes }) }))
    return { ...config, sqsQueueName: name }
  }
  expect(await examineQueue(await make('bare'))).toMatchObject([
    { check: 'queue', level: 'ok' },
    { check: 'redrive policy', level: 'warning', found: 'none' },
    { check: 'clock of SQS' },
  ])
  const asked = new GetQueueAttributesCommand({ QueueUrl: deadLetters, AttributeNames: ['QueueArn'] })
  const deadLetterTargetArn = (await queue.sqs.send(asked)).Attributes?.['QueueArn']
  const hasty = await make('hasty', { deadLetterTargetArn, maxReceiveCount: 2 })
  expect(await examineQueue(hasty)).toMatchObject([
    { check: 'queue', level: 'ok' },
    { check: 'redrive policy', level: 'warning', found: 'maxReceiveCount 2' },
    { check: 'dead letters', level: 'warning' },
    { check: 'clock of SQS' },
  ])
})

function connect(url: string): { redis: Redis } & AsyncDisposable {
  const redis = new Redis(url, { enableReadyCheck: false })
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() }
}

/** A sound queue, for as long as the test runs. */
async function queueOf(context: TestContext): Promise<{ url: string; queueName: string }> {
  const sqs = await emptySqs()
  context.onTestFinished(() => sqs[Symbol.asyncDispose]())
  const config = configOf({ AWS_ENDPOINT_URL: sqs.url, SQS_QUEUE_NAME: sqs.queueName })
  using _ = await openQueue(config)
  return sqs
}
