import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { App } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { type Keys, makeControlKeys, makePartitions } from '../../src/keys.ts'
import { announceRoles } from '../../src/ops/process/presence.ts'
import { type Build, feed } from '../../src/ops/rebuild/feed.ts'
import type { Comparison } from '../../src/ops/rebuild/flip/flip.ts'
import { archiveOf } from '../../src/ops/rebuild/open-archive.ts'
import { compareAll, openBuild, stagesToBuild } from '../../src/ops/rebuild/rebuild.ts'
import { partitionFor } from '../../src/partitions.ts'
import { readCounters, waitingFor } from '../../src/reads/counters.ts'
import type { ObjectStore } from '../../src/stages/archive/store/object-store.ts'
import { openStore } from '../../src/stages/archive/store/store.ts'
import type { Pipeline, Stage } from '../../src/stages/placed.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { runStage } from '../../src/stages/runner/run.ts'
import { archiveFolder } from './archive.ts'
import { whole } from './stages.ts'
import { until } from './until.ts'
import { appOn, emptyRedis } from './world.ts'

export interface Amount {
  readonly orders: number
  readonly minor: number
}

/** A system with an archive and partitions, whose stages run in this process. */
export interface RebuildWorld extends AsyncDisposable {
  readonly app: App
  readonly redis: Redis
  readonly store: ObjectStore
  /** The numbers of the users, kept by the test itself. */
  readonly expected: Map<string, Amount>
}

export async function openRebuildWorld(count: number | undefined, pipeline: Pipeline = whole): Promise<RebuildWorld> {
  await using stack = new AsyncDisposableStack()
  const { redis } = stack.use(await emptyRedis())
  const { url } = stack.use(archiveFolder())
  const config = readConfig({
    ARCHIVE_URL: url,
    ARCHIVE_SEGMENT_SECONDS: '1',
    BLOCK_MS: '20',
    CLAIM_IDLE_MS: '500',
    LEDGER_BUCKETS: '64',
    START_WAIT_MS: '0',
  })
  const store = stack.use(await openStore(config))
  const partitions = makePartitions(count)
  const [keys] = partitions as [Keys]
  const app = appOn(redis, config, { pipeline, partitions, control: makeControlKeys(partitions), keys })
  const opened = stack.move()
  return { app, redis, store, expected: new Map(), [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Runs the stages until disposed. */
export async function runningStages(app: App, names: readonly string[] = app.pipeline.names): Promise<AsyncDisposable> {
  const stop = new AbortController()
  for (const keys of app.partitions) await ensureGroups({ ...app, keys })
  const stages = app.pipeline.stages.filter(({ name }) => names.includes(name))
  const run = async (keys: Keys, stage: Stage): Promise<void> => {
    while (!stop.signal.aborted) {
      await runStage({ ...app, keys }, stage, () => {}, stop.signal).catch(() => sleep(50)) // a supervisor starts it again
    }
  }
  const presence = await announceRoles(app, names)
  const shown = presence.loop.run(() => {}, stop.signal).catch(() => {})
  const loops = app.partitions.flatMap((keys) => stages.map((stage) => run(keys, stage)))
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all([shown, ...loops])
      await presence[Symbol.asyncDispose]()
    },
  }
}

const dayMs = 86_400_000

/** Sends orders from one number up to another; every seventh is cancelled, every eleventh refunded a unit. */
export async function sendOrders({ app, expected }: RebuildWorld, from: number, to: number): Promise<void> {
  const now = Date.now()
  const put = async (user_id: string, id: string, body: object): Promise<void> =>
    void (await enqueue(app.redis, partitionFor(app.partitions, user_id), [{ id, body: JSON.stringify(body) }]))
  const add = (user: string, orders: number, minor: number): void => {
    const { orders: before, minor: had } = expected.get(user) ?? { orders: 0, minor: 0 }
    expected.set(user, { orders: before + orders, minor: had + minor })
  }
  for (let at = from; at < to; at++) {
    const order = { user_id: `u${at % 30}`, order_id: `o${at}` }
    const order_timestamp = new Date(now - (at % 9) * dayMs).toISOString()
    await put(order.user_id, `m${at}`, {
      ...order,
      order_value: 1 + at,
      order_timestamp,
      ...(at % 2 === 0 && { payment_method: 'card' }),
    })
    add(order.user_id, 1, (1 + at) * 100)
    if (at % 7 === 0) {
      await put(order.user_id, `c${at}`, { event: 'order.cancelled', ...order, order_timestamp })
      add(order.user_id, -1, -(1 + at) * 100)
    } else if (at % 11 === 0) {
      await put(order.user_id, `r${at}`, {
        event: 'order.refunded',
        ...order,
        event_id: 'e',
        amount: 1,
        order_timestamp,
      })
      add(order.user_id, 0, -100)
    }
  }
}

/** Waits until all stages have processed what was received. */
export async function settled({ app }: RebuildWorld, stages: readonly string[] = app.pipeline.names): Promise<void> {
  const own = app.pipeline.stages.filter(({ name }) => stages.includes(name))
  await until('all to be processed', async () => {
    const counters = await readCounters(app.redis, app.partitions)
    return own.every((stage) => waitingFor(stage, counters) === 0)
  })
}

/** Builds, and compares. @param alive called before each write */
export async function rebuilt(
  { app, store }: Pick<RebuildWorld, 'app' | 'store'>,
  stages: readonly string[] = ['aggregate', 'calendar'],
  alive = async (): Promise<void> => {},
): Promise<{ build: Build; compared: Comparison }> {
  const archive = archiveOf([{ store, app }])
  const building = { archive, stages: stagesToBuild(app.pipeline, stages), untilMs: Number.POSITIVE_INFINITY }
  const build = await openBuild(app, { ...building, alive, mayReplace: async () => {}, read: () => {} })
  await feed(build)
  return { build, compared: await compareAll(build) }
}

/** Reads what the users have. */
export async function usersOf({ app, redis }: RebuildWorld): Promise<Map<string, Amount>> {
  const users = new Map<string, Amount>()
  for (const keys of app.partitions) {
    const prefix = keys.userStats('')
    for (const name of await redis.keys(`${prefix}*`)) {
      const [orders, minor] = await redis.hmget(name, 'order_count', 'total_spend_minor')
      users.set(name.slice(prefix.length), { orders: Number(orders), minor: Number(minor) })
    }
  }
  return users
}
