import dns from 'node:dns'
import { expect, test, vi } from 'vitest'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import { actors, extrasOf, nameIn, newerExtrasOf } from '../../src/ops/rights/commands.ts'
import { maxArguments } from '../../src/redis/script.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { type ManagedRedis, spawnManagedRedis } from '../support/managed-redis.ts'
import { Oracle } from '../support/oracle.ts'
import { readPage } from '../support/pages/blocks.ts'
import { spawnOrders } from '../support/process.ts'
import { requireTls } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

/** Names as AWS gives them. Here they lead to this machine. */
const hosts = {
  ElastiCache: 'master.orders.abc123.use1.cache.amazonaws.com',
  'ElastiCache Serverless': 'orders-abc123.serverless.use1.cache.amazonaws.com',
  MemoryDB: 'clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com',
} as const

const hidden = ['redis version', 'replication', 'memory']
const variants = [
  { name: 'one server that shows INFO', cluster: false, info: true, unread: [], named: ['ElastiCache'] },
  {
    name: 'a cluster of one node that hides INFO',
    cluster: true,
    info: false,
    unread: hidden,
    named: ['MemoryDB', 'ElastiCache Serverless'],
  },
] as const

/** Optional commands, and the keys by which a start notices data of the Python system. */
const mayBeRefused = [
  ...[...extrasOf(actors), ...newerExtrasOf(actors)].map((sample) => nameIn(sample).toLowerCase()),
  ...['leaderboard:spend', 'invalid_orders', 'global:stats'],
]

test.for(variants)('the pipeline runs on a managed service: $name', async (variant, context) => {
  requireTls(context)
  await using redis = await spawnManagedRedis({ ...variant, hosts: Object.values(hosts) })
  await using sqs = await emptySqs()
  const env = envOf('', sqs, { ...redis.env, BATCH_RECORDS: '1500', SQS_VISIBILITY_TIMEOUT_SECONDS: '5' })
  const oracle = new Oracle()
  const [first, second] = [bodies(1_300, 200, 1), bodies(250, 50, 2)]
  for (const body of [...first, ...second]) oracle.take(body)

  await sendBodies(env, first)
  await killOnceItReceives(env, redis)
  await using bridge = runOrders(['run', 'bridge'], env)
  await killOthers(env, redis, {
    received: () => until('the queue to be empty', () => sqs.depth() === 0),
    sendMore: () => sendBodies(env, second),
  })
  await using line = runOrders(['run', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api'], env)
  const get = getFrom(await line.apiUrl())
  await redis.rotate() // while workers and loops still open their connections
  await until('all orders to be ranked', async () => (await counted(redis, 'ranked')) === oracle.admitted)
  await until('all orders to be judged', async () => (await counted(redis, 'rejected')) === oracle.rejected)
  await using replay = runOrders(['replay', '1000', '--wait'], env)
  expect([(await replay.exit()).code, replay.stderr()]).toEqual([1, '']) // they fail again
  expect(replay.stdout()).toMatch(new RegExp(`^sent +${oracle.rejected}$`, 'm'))
  await using verify = runOrders(['verify', '--deep'], env)
  expect([(await verify.exit()).code, verify.stderr()]).toEqual([0, ''])
  await expectNumbers(get, oracle)

  expect(redis.maxRequest()).toBeGreaterThan(1_000)
  expect(redis.maxRequest()).toBeLessThanOrEqual(maxArguments)
  expect((await redis.refused()).filter((name) => !mayBeRefused.includes(name))).toEqual([])
  await expectDoctor({ ...env, SQS_VISIBILITY_TIMEOUT_SECONDS: '8' }, redis, variant)
  expect(`${bridge.stderr()}${line.stderr()}`).not.toMatch(/NOPERM|does not let the user/)
  for (const running of [line, bridge]) expect(await running.stop()).toEqual({ code: 0, signal: null })
})

const bodies = (valid: number, invalid: number, seed: number): string[] =>
  [...sampleOrders({ valid, invalid, users: 30, seed })].map(({ body }) => body)

async function killOnceItReceives(env: Env, redis: ManagedRedis): Promise<void> {
  await using bridge = spawnOrders(['run', 'bridge'], env)
  await until('orders to be received', async () => (await counted(redis, 'received')) > 0)
  await bridge.kill('SIGKILL')
}

interface Flow {
  /** Resolves when all that was sent is in Redis: a batch of it is larger than a request may be. */
  received(): Promise<unknown>
  sendMore(): Promise<void>
}

/** Kills each role but the bridge, in a process of its own, while it has work. */
async function killOthers(env: Env, redis: ManagedRedis, { received, sendMore }: Flow): Promise<void> {
  const others = ['aggregate', 'leaderboard', 'jobs', 'api'].map((role) => spawnOrders(['run', role], env))
  await Promise.all([received(), ...others.map((role) => role.started())])
  const roles = [...others, spawnOrders(['run', 'validate'], env)]
  await until('an order to be ranked', async () => (await counted(redis, 'ranked')) > 0)
  const before = await counted(redis, 'received')
  await sendMore()
  await until('more to be received', async () => (await counted(redis, 'received')) > before)
  await Promise.all(roles.map((role) => role.kill('SIGKILL')))
}

/** Reads a counter, summed over the partitions. */
async function counted({ admin, env }: ManagedRedis, name: string): Promise<number> {
  const tags = env['PARTITIONS'] === undefined ? [''] : ['{p0}:', '{p1}:']
  const counts = await Promise.all(tags.map((tag) => admin.hget(`${tag}pipeline:counters`, name)))
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0)
}

/** Expects the API and the dashboard to show what the oracle computes. */
async function expectNumbers(get: ReturnType<typeof getFrom>, oracle: Oracle): Promise<void> {
  await expectStats(get, oracle)
  const { admitted, rejected, cents } = oracle
  expect(await get('/live/snapshot')).toMatchObject({
    totals: {
      admitted,
      counted: admitted,
      ranked: admitted,
      invalid: rejected,
      waiting: 0,
      revenue_minor: Number(cents),
    },
    books: { balanced: true, lost: 0 },
  })
}

/** Expects doctor to find no error, and to say of each service what docs/how-to/aws.md shows. */
async function expectDoctor(env: Env, redis: ManagedRedis, { unread, named, info }: (typeof variants)[number]) {
  const { lookup } = dns
  const toThisMachine = (host: string, ...rest: [never, never]) =>
    lookup(host.endsWith('.amazonaws.com') ? 'localhost' : host, ...rest)
  using _ = vi.spyOn(dns, 'lookup').mockImplementation(toThisMachine as typeof lookup)
  const warned = async (host: string): Promise<[string[], string]> => {
    await using doctor = runOrders(['doctor'], { ...env, REDIS_URL: redis.urlAt(host) })
    expect([(await doctor.exit()).code, doctor.stderr()]).toEqual([0, ''])
    const lines = doctor.stdout().split('\n')
    return [lines.flatMap((line) => /^warning +(.*?) {2}/.exec(line)?.[1] ?? []), findingIn(lines, 'durability')]
  }
  for (const service of named) {
    const [checks, durability] = await warned(hosts[service])
    const own = {
      ElastiCache: ['durability'],
      'ElastiCache Serverless': ['eviction', 'durability'],
      MemoryDB: ['eviction'],
    }
    expect([service, checks.toSorted()]).toEqual([service, ['commands', ...unread, ...own[service]].toSorted()])
    expect(readPage('docs/how-to/aws.md')).toContain(durability)
  }
  const [checks, durability] = await warned('localhost')
  expect(checks.toSorted()).toEqual(['commands', ...unread, ...(info ? [] : ['eviction']), 'durability'].toSorted())
  if (!info) expect(readPage('docs/how-to/aws.md')).toContain(durability)
}

/** Returns a finding with its advice as a page shows it. */
function findingIn(lines: readonly string[], check: string): string {
  const at = lines.findIndex((line) => line.split(/ {2,}/)[1] === check)
  return lines
    .slice(at, lines[at + 1]?.trim().startsWith('→') ? at + 2 : at + 1)
    .map((line) => line.replace(/^(\w+ +durability) +/, '$1  ').replace(/^ +→/, '                     →'))
    .join('\n')
}
