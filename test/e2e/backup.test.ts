import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, type TestContext, test } from 'vitest'
import { corrected, ended, send } from '../support/jobs.ts'
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

interface BackedUp extends RedisServer {
  readonly redis: Redis
  /** Makes a backup of the kind while Redis runs. */
  backup(): Promise<void>
  /** While it is stopped: puts the backup in the place of all data, and starts it. */
  restore(): Promise<void>
}

/** The steps of docs/how-to/backup-and-restore.md, by kind. */
const kinds = ['append-only file', 'snapshot'] as const

async function backedUp(context: TestContext, kind: (typeof kinds)[number]): Promise<BackedUp> {
  requireRedisServer(context)
  const server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const [, dir = ''] = (await redis.config('GET', 'dir')) as string[]
  const info = (line: string) => async () => (await redis.info('persistence')).includes(`${line}\r\n`)
  const isFile = kind === 'append-only file'
  const [from, saved] = [isFile ? 'appendonlydir' : 'dump.rdb', join(dir, 'backup')]
  const backup = async (): Promise<void> => {
    if (isFile) await redis.config('SET', 'auto-aof-rewrite-percentage', '0')
    else await redis.bgsave()
    await until('no save to run', info('rdb_bgsave_in_progress:0'))
    await until('no rewrite to run', info('aof_rewrite_in_progress:0'))
    mkdirSync(saved)
    cpSync(join(dir, from), join(saved, from), { recursive: true })
  }
  const restore = async (): Promise<void> => {
    for (const name of readdirSync(dir)) if (name !== 'backup') rmSync(join(dir, name), { recursive: true })
    cpSync(saved, dir, { recursive: true })
    if (isFile) return server.start()
    await server.start('--appendonly', 'no')
    await redis.config('SET', 'appendonly', 'yes')
    await until('the append-only file to be written', async () => {
      const text = await redis.info('persistence')
      return ['aof_enabled:1', 'aof_rewrite_in_progress:0', 'aof_rewrite_scheduled:0'].every((line) =>
        text.includes(line),
      )
    })
  }
  const close = async (): Promise<void> => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { ...server, redis, backup, restore, [Symbol.asyncDispose]: close }
}

const orders = (day: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) =>
    JSON.stringify({ user_id: `${day}-${at}`, order_id: 'o', order_value: 1.25 }),
  )

/** Waits until the counters have these values. */
async function counted(redis: Redis, wanted: Readonly<Record<string, number>>): Promise<void> {
  const read = async (): Promise<object> => {
    const found = await redis.hgetall('pipeline:counters')
    return Object.fromEntries(Object.keys(wanted).map((name) => [name, Number(found[name] ?? 0)]))
  }
  await until(
    `the counters ${JSON.stringify(wanted)}`,
    read,
    (found) => JSON.stringify(found) === JSON.stringify(wanted),
  )
}

async function command(env: Env, ...args: string[]): Promise<{ code: number | null; text: string }> {
  await using run = runOrders(args, env)
  const { code } = await run.exit()
  return { code, text: `${run.stdout()}${run.stderr()}` }
}

const roles = ['bridge', 'validate', 'aggregate', 'leaderboard', 'api']

test.for(kinds)(
  'backup by %s: put back, it loses only what came later, and counts nothing twice',
  async (kind, context) => {
    await using server = await backedUp(context, kind)
    await using sqs = await emptySqs()
    const { redis } = server
    const env = envOf(server.url, sqs, { LOG_LEVEL: 'info' })
    const [old, late, held] = [orders('old', 20), orders('late', 10), orders('held', 5)]
    let job = ''
    {
      await using system = runOrders(['run', ...roles], env)
      await system.started()
      await sendBodies(env, [...old, '{"user_id":"bad"}'])
      await counted(redis, { received: 21, ranked: 20 })
      const reply = await send(`${await system.apiUrl()}/orders/reprocess`, 'POST', corrected)
      job = String(reply.body['job_id'])
      await server.backup()

      await using jobs = runOrders(['run', 'jobs'], env)
      await jobs.started()
      expect(await ended(await system.apiUrl(), job)).toMatchObject({ state: 'completed' })
      await sendBodies(env, late)
      await counted(redis, { received: 32, ranked: 31 })
      await until('SQS to be empty', () => sqs.depth() === 0)
    }
    await sendBodies(env, [...held, ...old.slice(0, 3)]) // some of them stored before the backup
    await server.stop('SIGKILL')
    await server.restore()

    // All later orders are gone, and the books of the backup balance: they say nothing.
    const verified = await command(env, 'verify', '--deep')
    expect(verified).toMatchObject({ code: 0, text: expect.stringContaining('received 21 = admitted 20') })

    await using system = runOrders(['run', ...roles, 'jobs'], env)
    await system.started()
    const [counts] = await until(
      'the counts',
      () => system.events('counts'),
      (found) => found.length > 0,
    )
    expect(counts).toMatchObject({ received: 21, ranked: 20 })

    // SQS hands out what it still holds; what the backup knows is a duplicate. The job of the backup runs, once.
    expect(await ended(await system.apiUrl(), job)).toMatchObject({ state: 'completed' })
    await counted(redis, { received: 30, ranked: 26, duplicates: 3 })

    // The producers send everything of that time again.
    await sendBodies(env, [...old, ...late, ...held])
    await counted(redis, { received: 65, ranked: 36, duplicates: 28 })
    for (const user of ['old-0', 'late-9', 'held-4', 'u']) {
      const stats = await (await fetch(`${await system.apiUrl()}/users/${user}/stats`)).json()
      expect(stats).toMatchObject({ user_id: user, order_count: 1 })
    }
    expect(await command(env, 'verify', '--deep')).toMatchObject({ code: 0 })
  },
)

test('a snapshot that Redis finds with appendonly yes is ignored: it starts empty', async (context) => {
  await using server = await backedUp(context, 'snapshot')
  await server.redis.set('here', '1')
  await server.backup()
  const [, dir = ''] = (await server.redis.config('GET', 'dir')) as string[]
  await server.stop('SIGKILL')
  server.loseData()
  expect(readdirSync(dir)).toContain('dump.rdb')
  await server.start()
  expect(await server.redis.dbsize()).toBe(0)
})

/** Waits until a replica has everything. */
async function copied(from: Redis, to: Redis): Promise<void> {
  await until('the replica to have everything', async () => {
    const [master = '', replica = ''] = await Promise.all([from, to].map((redis) => redis.info('replication')))
    const [written, read] = [master, replica].map((text) => /master_repl_offset:(\d+)/.exec(text)?.[1])
    return written === read && replica.includes('master_link_status:up')
  })
}

test('a replica that is promoted after a drain has everything, and the bridge stays paused', async (context) => {
  await using old = await backedUp(context, 'snapshot')
  await using next = await backedUp(context, 'snapshot')
  await using sqs = await emptySqs()
  const env = envOf(old.url, sqs, { LOG_LEVEL: 'info' })
  await next.redis.replicaof('127.0.0.1', old.port)
  {
    await using system = runOrders(['run', ...roles], env)
    await system.started()
    await sendBodies(env, orders('before', 12))
    await counted(old.redis, { ranked: 12 })
    expect(await command(env, 'drain')).toMatchObject({ code: 0 })
    await sendBodies(env, orders('meanwhile', 3))
  }
  await copied(old.redis, next.redis)
  await next.redis.replicaof('NO', 'ONE')
  await old.stop()

  const moved = { ...env, REDIS_URL: next.url }
  expect(await command(moved, 'verify', '--deep')).toMatchObject({
    code: 0,
    text: expect.stringContaining('counted 12'),
  })
  await using system = runOrders(['run', ...roles], moved)
  await system.started()
  expect((await command(moved, 'status')).text).toContain('bridge is paused')
  expect(await command(moved, 'resume', 'bridge')).toMatchObject({ code: 0 })
  await sendBodies(moved, orders('before', 12))
  await counted(next.redis, { ranked: 15, duplicates: 12 })
  expect(await command(moved, 'verify', '--deep')).toMatchObject({ code: 0 })
})

/** Makes a Redis unable to save, and names the setting that ends its refusal of writes. */
const cannotSave = [
  {
    what: 'its snapshots fail',
    async fail(_: Redis, dir: string) {
      rmSync(dir, { recursive: true })
    },
    refusal: ['stop-writes-on-bgsave-error', 'no'],
  },
  {
    what: 'its disk is full',
    async fail(redis: Redis, dir: string) {
      mkdirSync(join(dir, 'appendonlydir'))
      symlinkSync('/dev/full', join(dir, 'appendonlydir', 'temp-appendonly.aof.incr'))
      await redis.config('SET', 'appendonly', 'yes')
    },
    refusal: ['appendonly', 'no'],
  },
] as const

test.concurrent.for(cannotSave)(
  'a Redis that refuses every write as $what is left for a replica, with all that its memory holds',
  async ({ fail, refusal }, context) => {
    requireRedisServer(context)
    const [old, next] = [await spawnRedisServer('--appendonly', 'no', '--save', '3600 1'), await spawnRedisServer()]
    if (!old || !next) throw new Error('no redis-server')
    await using stack = new AsyncDisposableStack()
    for (const server of [old, next]) stack.use(server)
    const [from, to] = [new Redis(old.url), new Redis(next.url)]
    for (const redis of [from, to]) stack.defer(() => redis.disconnect())
    from.on('error', () => {})
    const sqs = stack.use(await emptySqs())
    const env = envOf(old.url, sqs, { SQS_VISIBILITY_TIMEOUT_SECONDS: '10' })
    {
      await using system = runOrders(['run', ...roles], env)
      await system.started()
      await sendBodies(env, orders('before', 12))
      await counted(from, { ranked: 12 })
      await fail(from, String((await from.config('GET', 'dir'))[1]))
      await until('writes to be refused', async () => {
        await from.bgsave().catch(() => {})
        return from.set('probe', '1').then(
          () => false,
          (error) => String(error).includes('MISCONF'),
        )
      })
      await sendBodies(env, orders('meanwhile', 3))
    }
    await from.config('SET', ...refusal)
    await from.config('SET', 'repl-diskless-sync', 'yes')
    await to.replicaof('127.0.0.1', old.port)
    await copied(from, to)
    await to.replicaof('NO', 'ONE')
    await from.shutdown('NOSAVE').catch(() => {})

    const moved = { ...env, REDIS_URL: next.url }
    expect(await command(moved, 'verify', '--deep')).toMatchObject({
      code: 0,
      text: expect.stringContaining('counted 12'),
    })
    await using system = runOrders(['run', ...roles], moved)
    await system.started()
    await sendBodies(moved, orders('before', 12))
    await counted(to, { ranked: 15, duplicates: 12 })
    expect(await command(moved, 'verify', '--deep')).toMatchObject({ code: 0 })
  },
)
