import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { makePartitions } from '../../src/keys.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { type RedisCluster, type RedisNode, spawnRedisCluster } from '../support/redis-cluster.ts'
import { reportedDifferences } from '../support/reported-calendar.ts'
import { hasRedisServer, requireRedisServer } from '../support/requires.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'
import { expectOrderly, seed } from './checks.ts'
import { expectedOf, expectFlow, flowOf, inNewYork, shares } from './flow.ts'
import { type Random, randomOf } from './random.ts'
import { employ, type Worker } from './worker.ts'

const partitions = makePartitions(8)
const stages = ['validate', 'calendar', 'aggregate', 'leaderboard']

/** Short, so that what a dead process or master had is soon with another; a message is deleted when a replica has it. */
const chaosEnv: Env = {
  ...inNewYork,
  REDIS_CLUSTER: 'true',
  PARTITIONS: `${partitions.length}`,
  SQS_DELETE_AFTER: 'replicas:1',
  SQS_VISIBILITY_TIMEOUT_SECONDS: '5',
  CLAIM_IDLE_MS: '1000',
}

let cluster: RedisCluster
beforeAll(async () => {
  if (hasRedisServer()) cluster = await spawnRedisCluster({ masters: 3, replicas: 1 })
})
afterAll(() => cluster?.[Symbol.asyncDispose]())
beforeEach(requireRedisServer)

interface Line {
  readonly random: Random
  readonly workers: readonly Worker[]
}

/** Something goes wrong while orders flow, and is over when this resolves. */
type Strike = (line: Line) => Promise<void>

const partitionIn = ({ random }: Line): string => random.pick(partitions).counters

async function masters(): Promise<RedisNode[]> {
  return [...new Set(await Promise.all(partitions.map(({ counters }) => cluster.masterOf(counters))))]
}

const killMaster: Strike = async (line) => {
  const victim = await cluster.masterOf(partitionIn(line))
  await victim.stop('SIGKILL')
  await cluster.settled() // its replica is master
  await victim.start()
  await cluster.settled()
}

/** Planned: the master stays up as a replica, with every connection that is open to it. */
const handOver: Strike = async (line) => {
  const master = await cluster.masterOf(partitionIn(line))
  const following = await Promise.all(
    cluster.nodes.map(async (node) => {
      const info = await node.redis.info('replication')
      return info.includes('role:slave') && info.includes(`master_port:${master.port}`) ? [node] : []
    }),
  )
  const [replica] = following.flat()
  if (!replica) throw new Error('a master without a replica')
  await replica.redis.cluster('FAILOVER')
  await until(
    'the replica to be the master',
    () => replica.redis.info('replication'),
    (info) => info.includes('role:master'),
  )
  await cluster.settled()
}

const moveSlot: Strike = async (line) => {
  const key = partitionIn(line)
  const from = await cluster.masterOf(key)
  const others = (await masters()).filter((node) => node !== from)
  await cluster.moveSlot(key, line.random.pick(others))
  await cluster.settled()
}

/** Less than it takes to be taken for dead. */
const freezeMaster: Strike = async (line) => {
  const victim = await cluster.masterOf(partitionIn(line))
  process.kill(victim.pid(), 'SIGSTOP')
  await sleep(1_000)
  process.kill(victim.pid(), 'SIGCONT')
  await cluster.settled() // on a slow machine its replica may be master now
}

const killWorker: Strike = ({ random, workers }) => random.pick(workers).kill()

const flushScripts: Strike = async () => {
  for (const { redis } of await masters()) await redis.script('FLUSH')
}

/** Orders flow while one strike follows the other; then every number is the oracle's. */
async function run(strikes: readonly Strike[], count: number, random: Random): Promise<void> {
  await Promise.all((await masters()).map(({ redis }) => redis.flushall()))
  await using sqs = await emptySqs()
  const env = envOf(cluster.url, sqs, chaosEnv)
  await using stack = new AsyncDisposableStack()
  const api = stack.use(employ(['api'], env))
  const roles = [['bridge', ...stages], ['bridge', ...stages], stages]
  const workers = roles.map((together) => stack.use(employ(together, env)))
  await Promise.all([api, ...workers].map((worker) => worker.started()))
  const flow = flowOf(count, random)
  const expected = expectedOf()
  expectFlow(expected, flow)
  const { oracle } = expected
  const isCorrection = (at: number): boolean => flow.bodies[at]?.includes('"event":"order.') === true
  const [orders, corrections] = [false, true].map((is) => flow.messages.filter((_, at) => isCorrection(at) === is))
  const get = getFrom(await api.apiUrl())
  const through = (expected: number) =>
    until(
      `seed ${seed}: all to be through`,
      async () => {
        await sleep(200) // asking takes from the processor time of those who are asked
        const reported = (await get('/integrity')) as { received?: number; stages?: { waiting: number }[] }
        return { ...reported, depth: sqs.depth() }
      },
      ({ received = 0, stages, depth }) => {
        return depth === 0 && received >= expected && stages?.every(({ waiting }) => waiting === 0) === true
      },
    )
  const parts = [...shares(orders ?? [], strikes.length - 1), corrections ?? []]
  for (const [at, strike] of strikes.entries()) {
    if (at === parts.length - 1) await through(orders?.length ?? 0) // a correction is of an order that is known
    await Promise.all([
      sendBodies(env, parts[at] ?? []),
      sleep(random.below(150)).then(() => strike({ random, workers })),
    ])
  }
  const books = await through(oracle.received)
  const again = (books.received ?? 0) - oracle.received
  process.stdout.write(`SEED=${seed} cluster: ${count} sent, ${again} delivered again\n`)
  expect(books).toMatchObject({
    balanced: true,
    admitted: oracle.admitted,
    corrected: oracle.corrected,
    duplicates: oracle.duplicates + again,
    rejected: oracle.rejected,
  })
  await expectStats(get, oracle)
  expect(await reportedDifferences(get, expected.calendar)).toEqual([])
  const logs = workers.map((worker) => worker.log()).join('')
  expect(logs.split('\n').filter((text) => /bug in orders|"(vanished|decideFailed)"/.test(text))).toEqual([])
  expectOrderly(await Promise.all([api, ...workers].map((worker) => worker.stop())))
}

const strikes: readonly Strike[] = [
  ...[killMaster, killMaster, killMaster],
  ...[handOver, handOver],
  ...[moveSlot, moveSlot, moveSlot],
  ...[killWorker, killWorker, killWorker, killWorker],
  ...[freezeMaster, flushScripts, flushScripts],
]

test('masters are killed and hand over, slots move, roles are killed, one after the other: nothing is lost or doubled', {
  timeout: 240_000,
}, async () => {
  const random = randomOf(seed)
  await run(random.shuffled([...strikes]), 2_400, random)
})
