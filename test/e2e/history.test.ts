import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { makeControlKeys, makePartitions } from '../../src/keys.ts'
import { partitionFor } from '../../src/partitions.ts'
import { readCounters } from '../../src/reads/counters.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { keysNaming } from '../support/dump-redis.ts'
import { root } from '../support/markdown.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { blocksOf } from '../support/pages/blocks.ts'
import { spawnOrders } from '../support/process.ts'
import { type RedisCluster, spawnRedisCluster } from '../support/redis-cluster.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { createBucket, spawnS3Server } from '../support/s3-server.ts'
import { sendBodies } from '../support/send.ts'
import { shippedText } from '../support/shipped-text.ts'
import { whole } from '../support/stages.ts'
import { readNumbers, settled } from '../support/undo.ts'
import { until } from '../support/until.ts'
import { appOn, emptySqs, envOf } from '../support/world.ts'

const partitions = makePartitions(8)
const bucket = 'history'
const person = 'person-of-this-test'
const dayMs = 86_400_000

/** Orders of 30 users and the person; every seventh is cancelled, every eleventh refunded a unit, every 20th cannot be read. */
function ordersOf(source: string, from: number, to: number): { orders: string[]; corrections: string[] } {
  const [orders, corrections]: [string[], string[]] = [[], []]
  for (let at = from; at < to; at++) {
    const order = { user_id: at % 31 === 0 ? person : `u${at % 31}`, order_id: `o${at}`, source }
    const order_timestamp = new Date(Date.now() - (at % 5) * dayMs).toISOString()
    orders.push(JSON.stringify({ ...order, order_value: at % 20 === 3 ? 'much' : 1 + at, order_timestamp }))
    if (at % 7 === 0) corrections.push(JSON.stringify({ ...order, event: 'order.cancelled' }))
    else if (at % 11 === 0) corrections.push(JSON.stringify({ ...order, event: 'order.refunded', amount: 1 }))
  }
  return { orders, corrections }
}

async function numbersOf(cluster: RedisCluster): Promise<Record<string, string>> {
  const numbers: Record<string, string> = {}
  for (const { redis } of cluster.nodes)
    for (const [name, value] of Object.entries(await readNumbers(redis)))
      numbers[name] = String(BigInt(numbers[name] ?? 0) + BigInt(value))
  return numbers
}

/** Reads every object of the bucket, as text by name. */
async function objectsOf(endpoint: string): Promise<Map<string, string>> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  using stack = new DisposableStack()
  stack.defer(() => client.destroy())
  const { Contents = [], IsTruncated } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  expect(IsTruncated).not.toBe(true)
  const objects = new Map<string, string>()
  for (const { Key = '' } of Contents) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
    objects.set(Key, String(Key.endsWith('.gz') ? gunzipSync(bytes) : bytes))
  }
  return objects
}

/** Copies the system, with the observer of docs/how-to/add-a-stage.md in the list. @returns its entry */
function withRevenue(): { entry: string } & Disposable {
  const copy = mkdtempSync(join(tmpdir(), 'orders-history-'))
  const removal = removeOnExit(copy)
  for (const name of ['src', 'package.json']) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const shown = blocksOf('docs/how-to/add-a-stage.md').find(({ info }) => info === 'src/stages/revenue.ts')
  writeFileSync(join(copy, 'src/stages/revenue.ts'), shown?.text ?? '')
  const list = join(copy, 'src/stages/pipeline.ts')
  const added = shippedText.replace('validate, ', 'validate, revenue, ')
  const text = readFileSync(list, 'utf8')
    .replace(/^.*revenue\.ts.*\n/m, '')
    .replace(/^export const pipeline = .*/m, added)
  writeFileSync(list, `import { revenue } from './revenue.ts'\n${text}`)
  return { entry: join(copy, 'src/ops/orders.js'), [Symbol.dispose]: () => removal[Symbol.dispose]() }
}

test('on a cluster of 8 partitions with S3: archive, undo, redo, erase, rebuild, and a stage added later', async (context) => {
  requireRedisServer(context)
  await using cluster = await spawnRedisCluster({ masters: 3 })
  await using sqs = await emptySqs()
  await using s3 = await spawnS3Server()
  await createBucket(s3.url, bucket)
  const env = envOf(cluster.url, sqs, {
    ...{ REDIS_CLUSTER: 'true', PARTITIONS: '8', CALENDAR: 'on', LEDGER_BUCKETS: '64' },
    ...{ ARCHIVE_URL: `s3://${bucket}/orders`, AWS_ENDPOINT_URL_S3: s3.url, ARCHIVE_SEGMENT_SECONDS: '2' },
  })
  const redis = new Cluster(cluster.url.split(',')) as unknown as RedisClient
  await using stack = new AsyncDisposableStack()
  stack.defer(() => redis.disconnect())
  const app = appOn(redis, readConfig(env), { pipeline: whole, partitions, control: makeControlKeys(partitions) })
  const roles = ['bridge', 'validate', 'calendar', 'archive', 'aggregate', 'leaderboard', 'jobs', 'api']
  await using line = runOrders(['run', ...roles], env)
  await line.started()
  const orders = async (...args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
    await using run = runOrders(args, env)
    const { code } = await run.exit()
    return { code, out: run.stdout(), err: run.stderr() }
  }
  const right = { code: 0, err: '' }
  const counted = async (bodies: readonly string[]): Promise<void> => {
    const received = async (): Promise<number> => (await readCounters(redis, partitions))['received'] ?? 0
    const before = await received()
    await sendBodies(env, bodies)
    await until('all to be received', received, (now) => now === before + bodies.length)
    await settled({ app })
  }
  const send = async (source: string, from: number, to: number): Promise<void> => {
    const { orders, corrections } = ordersOf(source, from, to)
    await counted(orders)
    await counted(corrections)
  }

  await send('shop', 0, 200)
  const from = new Date().toISOString()
  await send('shop', 200, 300)
  const before = await numbersOf(cluster)
  await send('import', 300, 450)
  const to = new Date().toISOString()
  const after = await numbersOf(cluster)
  expect(after).not.toEqual(before)
  expect(await orders('archive', 'flush')).toMatchObject(right)
  const checked = await orders('archive', 'verify', '--json')
  expect([checked.err, JSON.parse(checked.out)]).toMatchObject(['', { verdict: 'right', chains: 8, waiting: 0 }])

  const window = ['undo', '--from', from, '--to', to, '--where', 'source=import', '--name', 'bad import']
  expect(await orders(...window)).toMatchObject({ code: 2, err: expect.stringContaining('--yes') })
  expect(await orders(...window, '--yes')).toMatchObject({ ...right, out: expect.stringContaining('Taken back: ') })
  await settled({ app })
  expect(await numbersOf(cluster)).toEqual(before)
  expect(await orders('verify', '--deep')).toMatchObject(right)
  expect(await orders('redo', 'bad import', '--yes')).toMatchObject(right)
  await settled({ app })
  expect(await numbersOf(cluster)).toEqual(after)
  expect(await orders('replay', '100')).toMatchObject(right)
  await settled({ app })
  const equal = { ...right, out: expect.stringContaining('as the archive says') }
  expect(await orders('rebuild')).toMatchObject(equal)

  const naming = async (): Promise<string[]> => {
    const each = await Promise.all(cluster.nodes.map((node) => keysNaming(node.redis, person)))
    const objects = [...(await objectsOf(s3.url))].flatMap(([name, text]) => (text.includes(person) ? [name] : []))
    return [...each.flat(), ...objects]
  }
  expect((await naming()).length).toBeGreaterThan(5)
  const erased = await orders('erase', person, '--yes', '--json')
  expect(erased).toMatchObject(right)
  expect(JSON.parse(erased.out)).toMatchObject({ complete: true, waiting: 0 })
  expect(await naming()).toEqual([])
  await counted([JSON.stringify({ user_id: person, order_id: 'late', order_value: 1 })])
  await until('what was refused to be trimmed', naming, (found) => found.length === 0)
  for (const words of [
    ['verify', '--deep'],
    ['archive', 'flush'],
    ['archive', 'verify'],
  ])
    expect([words, await orders(...words)]).toEqual([words, { ...right, out: expect.anything() }])
  expect(await orders('rebuild')).toMatchObject(equal)

  const sound = await numbersOf(cluster)
  await redis.hincrby(partitionFor(partitions, 'u1').userStats('u1'), 'total_spend_minor', 7)
  expect(await redis.zrem(partitionFor(partitions, 'u2').leaderboardSpend, 'u2')).toBe(1)
  const today = new Date().toISOString().slice(0, 10)
  await redis.hincrby(partitionFor(partitions, 'u3').day(today), 'revenue', 7)
  expect(await numbersOf(cluster)).not.toEqual(sound)
  expect(await orders('rebuild', '--flip', '--yes')).toMatchObject(right)
  expect(await numbersOf(cluster)).toEqual(sound)
  expect(await orders('rebuild')).toMatchObject(equal)
  expect(await orders('verify', '--deep')).toMatchObject(right)

  using own = withRevenue()
  await using revenue = spawnOrders(['run', 'revenue'], env, own)
  await revenue.started()
  const counters = (): Promise<Record<string, number>> => readCounters(redis, partitions)
  await until('it to have missed some', counters, (found) => (found['revenue:missed'] ?? 0) > 300)
  const { orders: live } = ordersOf('live', 600, 700)
  const sending = counted(live)
  await using backfill = spawnOrders(['backfill', 'revenue', '--yes', '--json'], env, own)
  expect(await backfill.exit()).toEqual({ code: 0, signal: null })
  expect(JSON.parse(backfill.stdout())).toMatchObject({ stage: 'revenue', missed: 0 })
  await sending
  const { 'global:stats total_revenue_minor': revenueMinor } = await numbersOf(cluster)
  const booked = async (): Promise<string> => {
    const days = await Promise.all(partitions.map((keys) => redis.hvals(keys.own('revenue', 'days'))))
    return String(days.flat().reduce((sum, minor) => sum + Number(minor), 0))
  }
  await until('all to be booked', booked, (sum) => sum === revenueMinor, 10_000)
  expect((await counters())['revenue:missed']).toBe(0)
  expect(await line.stop()).toEqual({ code: 0, signal: null })
})
