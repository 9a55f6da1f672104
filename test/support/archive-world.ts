import type { Redis } from 'ioredis'
import type { PartitionScope } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import { append } from '../../src/stages/archive/append.ts'
import { flushArchive } from '../../src/stages/archive/flush.ts'
import { openChain } from '../../src/stages/archive/lines.ts'
import type { ObjectStore } from '../../src/stages/archive/store/object-store.ts'
import { openStore } from '../../src/stages/archive/store/store.ts'
import { readTail } from '../../src/stages/archive/tail.ts'
import { runStage } from '../../src/stages/runner/run.ts'
import { archiveFolder } from './archive.ts'
import { withArchive } from './stages.ts'
import { until } from './until.ts'
import { appOn, type Env, emptyRedis } from './world.ts'

/** An app with an archive in a folder, on a Redis of its own. */
export interface ArchiveWorld extends AsyncDisposable {
  readonly app: PartitionScope
  readonly redis: Redis
  readonly store: ObjectStore
  readonly folder: string
}

/** Segments are cut by a flush alone. */
export async function openArchiveWorld(more: Env = {}): Promise<ArchiveWorld> {
  await using stack = new AsyncDisposableStack()
  const { redis } = stack.use(await emptyRedis())
  const { folder, url } = stack.use(archiveFolder())
  const env = {
    ARCHIVE_URL: url,
    BLOCK_MS: '20',
    CLAIM_IDLE_MS: '500',
    ARCHIVE_SEGMENT_SECONDS: '240',
    CALENDAR: 'off',
  }
  const config = readConfig({ ...env, ...more })
  const store = stack.use(await openStore(config))
  const app = appOn(redis, config, { pipeline: withArchive })
  const open = stack.move()
  return { app, redis, store, folder, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

/** Runs stages until disposed. */
export function running(app: PartitionScope, names: readonly string[] = withArchive.names): AsyncDisposable {
  const stop = new AbortController()
  const stages = app.pipeline.stages.filter(({ name }) => names.includes(name))
  const loops = stages.map((stage) => runStage(app, stage, () => {}, stop.signal))
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all(loops)
    },
  }
}

/** Line breaks of Unicode and of text must not end a line of a segment. */
export const bodyOf = (at: number): string =>
  JSON.stringify({ user_id: `u${at % 3}`, order_id: `o${at}`, order_value: at, note: '\u2028\n' })

/** Sends the orders with these numbers. */
export async function send({ app }: ArchiveWorld, from: number, to: number, sentMs?: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, at) => ({ id: `m${from + at}`, body: bodyOf(from + at) }))
  await enqueue(app.redis, app.keys, records, { sentMs })
}

export const counter = async ({ redis, keys }: PartitionScope, name: string): Promise<number> =>
  Number((await redis.hget(keys.counters, name)) ?? 0)

export const admitted = (app: PartitionScope, orders: number): Promise<number> =>
  until(
    `${orders} are admitted`,
    () => counter(app, 'admitted'),
    (found) => found === orders,
  )

export const soon = (): AbortSignal => AbortSignal.timeout(30_000)

/** Sends orders and archives them, while all stages run. */
export async function archiveOrders(world: ArchiveWorld, from: number, to: number): Promise<void> {
  const before = await counter(world.app, 'admitted')
  await send(world, from, to)
  await admitted(world.app, before + to - from)
  await flushArchive(world.app, soon())
  await allStored(world.app)
}

/** Resolves when the store has every line: that of a segment comes a moment after the segment counts. */
export const allStored = (app: PartitionScope): Promise<unknown> =>
  until(
    'the store has every line',
    () => readTail(app),
    (tail) => tail?.stored === tail?.seq,
  )

/** Returns what brings keys of Redis back to what they hold now, as a failover or a restored backup does; without names all. */
export async function backup({ redis }: ArchiveWorld, names?: readonly string[]): Promise<() => Promise<void>> {
  const kept = new Map<string, Buffer>()
  for (const key of names ?? (await redis.keys('*'))) kept.set(key, (await redis.dumpBuffer(key)) as Buffer)
  return async () => {
    if (!names) await redis.flushdb()
    for (const [key, value] of kept) await redis.restore(key, 0, value, 'REPLACE')
  }
}

/** Appends a line that takes out a segment, which Redis alone has. */
export async function appendRemoval({ app, store }: ArchiveWorld, removes: string): Promise<void> {
  const head = await openChain(app, store)
  const { status } = await append(app, head, { content: { kind: 'expired', removes } })
  if (status !== 'appended') throw new Error(status)
}

/** Returns the world with a Redis whose clock is fast, as that of another master may be. */
export function aheadBy<World extends ArchiveWorld>(world: World, ms: number): World {
  const redis = new Proxy(world.app.redis, {
    get: (of, name) => {
      const found: unknown = Reflect.get(of, name, of)
      if (name === 'time') return async () => [(Date.now() + ms) / 1_000, 0]
      return typeof found === 'function' ? found.bind(of) : found
    },
  })
  return { ...world, app: { ...world.app, redis } }
}

/** Archives orders while all stages run, which end then. */
export async function archiveOnce(world: ArchiveWorld, from: number, to: number): Promise<void> {
  await using _ = running(world.app)
  await archiveOrders(world, from, to)
}
