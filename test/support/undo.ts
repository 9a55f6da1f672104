import type { Redis } from 'ioredis'
import type { Loop, PartitionScope } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { openQueues, type Queues } from '../../src/control/job-queues.ts'
import type { UndoResult } from '../../src/control/undo/undo-job.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../src/keys.ts'
import { stageLoop } from '../../src/ops/process/assignment.ts'
import { announceRoles } from '../../src/ops/process/presence.ts'
import { placesOf } from '../../src/ops/undo/standing.ts'
import { undo } from '../../src/ops/undo/undo.ts'
import { partitionOf } from '../../src/order/partition.ts'
import { readBooks } from '../../src/reads/books.ts'
import { pipeline } from '../../src/stages/pipeline.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { archiveFolder } from './archive.ts'
import { until } from './until.ts'
import { appOn, type Env, emptyRedis, envOf } from './world.ts'

/** A system with an archive. */
export interface UndoWorld extends AsyncDisposable {
  readonly app: PartitionScope
  readonly redis: Redis
  readonly queues: Queues
  /** Of a process of this system. */
  readonly env: Env
}

/**
 * @param partitions undefined for one with bare names
 * @param stages `here`: all of them run in this process
 * @param list the stages, if not all that we ship
 */
export async function openUndoWorld(
  partitions?: number,
  stages: 'here' | 'elsewhere' = 'here',
  list = pipeline,
): Promise<UndoWorld> {
  await using stack = new AsyncDisposableStack()
  const { redis, url } = stack.use(await emptyRedis())
  const { url: archiveUrl } = stack.use(archiveFolder())
  const env = envOf(url, undefined, {
    ...{ ARCHIVE_URL: archiveUrl, ARCHIVE_SEGMENT_SECONDS: '240', CALENDAR: 'on' },
    ...{ BLOCK_MS: '20', CLAIM_IDLE_MS: '500', LEDGER_BUCKETS: '64', JOB_LOCK_MS: '1000' },
    ...(partitions !== undefined && { PARTITIONS: String(partitions) }),
  })
  const keys = makePartitions(partitions)
  const control = makeControlKeys(keys)
  const app = appOn(redis, readConfig(env), { pipeline: list, partitions: keys, control, keys: keys[0] as Keys })
  const stop = new AbortController()
  const scopes = keys.map((keys) => ({ ...app, keys }))
  for (const scope of scopes) await ensureGroups(scope)
  const here = stages === 'here'
  const loops = here ? [stack.use(await announceRoles(app, list.names)).loop, ...scopes.flatMap(loopsOf)] : []
  const running = loops.map((loop) => loop.run(() => {}, stop.signal))
  stack.defer(async () => {
    stop.abort()
    await Promise.allSettled(running) // a stop may close a connection during a read
  })
  const queues = stack.use(openQueues(app.redis))
  const open = stack.move()
  return { app, redis, queues, env, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

const loopsOf = (scope: PartitionScope): Loop[] => scope.pipeline.stages.map((stage) => stageLoop(scope, stage))

/** Sends bodies, and waits until they are counted. */
export async function sendBodies({ app }: UndoWorld, bodies: readonly string[]): Promise<void> {
  for (const [keys, own] of Map.groupBy(bodies, (body) => partitionOf(app, body))) {
    const records = own.map((body, at) => ({ id: `m${at}`, body }))
    await enqueue(app.redis, keys, records, { sentMs: Date.now() })
  }
  await settled({ app })
}

/** Waits until no order waits for a stage but the archive, and expects the books to balance. */
export async function settled({ app }: Pick<UndoWorld, 'app'>): Promise<void> {
  const books = await until(
    'all to be counted',
    () => readBooks(app),
    ({ stages }) => stages.every(({ stage, waiting }) => waiting === 0 || stage === 'archive'),
  )
  if (!books.balanced) throw new Error(JSON.stringify([books.differences, books.losses]))
}

/** Runs a job in this process, as its worker does. */
export async function runUndo(
  { app, queues }: UndoWorld,
  jobId: string,
  signal = AbortSignal.timeout(30_000),
): Promise<UndoResult> {
  const job = await queues.undo.getJob(jobId)
  if (!job) throw new Error(`no job ${jobId}`)
  return undo(app, job, signal)
}

/** Every number that is not 0: totals, users, days, months and boards. */
export async function readNumbers(redis: Redis): Promise<Record<string, string>> {
  const numbers: Record<string, string> = {}
  for (const key of await redis.keys('*')) {
    const name = key.replace(/^\{p\d+\}:/, '')
    if (!/^(user:|day:|monthly:|leaderboard:|global:stats|pipeline:calendar$)/.test(name)) continue
    const isBoard = name.startsWith('leaderboard:')
    const flat = isBoard
      ? await redis.zrange(key, '0', '-1', 'WITHSCORES')
      : Object.entries(await redis.hgetall(key)).flat()
    for (let at = 0; at < flat.length; at += 2) {
      const [field, value = ''] = [`${name} ${flat[at]}`, flat[at + 1]]
      if (Number(value) === 0 && !isBoard) continue
      if (field !== 'pipeline:calendar since') numbers[field] = String(BigInt(numbers[field] ?? 0) + BigInt(value))
    }
  }
  return numbers
}

/** Removes an order from the ledger, as LEDGER_DAYS does. */
export async function forgetOrder({ app, redis }: UndoWorld, userId: string, orderId: string): Promise<void> {
  const order = [{ userId, orderId, parts: [] }]
  for (const key of await redis.keys('*ledger:*')) {
    if ((await redis.type(key)) !== 'hash') continue
    for (const [field, value] of Object.entries(await redis.hgetall(key))) {
      await redis.hdel(key, field)
      if ((await placesOf(app, order, ''))[0] === 'forgotten') return
      await redis.hset(key, field, value)
    }
  }
  throw new Error(`${orderId} is in no ledger`)
}
