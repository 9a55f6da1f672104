import type { Redis } from 'ioredis'
import { replaceByFile } from './archive.ts'
import { rejectByBug } from './broken-release.ts'
import { fillDeadLetters } from './dead-letters.ts'
import { corrected, send } from './jobs.ts'
import type { RedisServer } from './redis-server.ts'
import { type OrdersRun, runOrders } from './run-orders.ts'
import { sendBodies } from './send.ts'
import type { SqsProxy } from './sqs-proxy.ts'
import { until } from './until.ts'
import type { Env } from './world.ts'

/** A system with incidents: a Redis, an SQS, and roles that can be stopped and started. */
export interface Troubled {
  readonly env: Env
  readonly server: RedisServer
  readonly redis: Redis
  /** Where the archive is. */
  readonly archive: string
  readonly sqs: SqsProxy
  /** Replies in place of those of SQS, by the name of the call. */
  readonly replies: Map<string, object>
  api(): string
  stop(role: string): Promise<void>
  start(role: string): Promise<OrdersRun>
}

/** Ends an incident. */
type End = () => Promise<unknown>
/** Brings an incident about. */
export type Incident = (system: Troubled) => Promise<End>

const denied = { __type: 'com.amazon.coral.service#AccessDeniedException', message: 'not for you' }
let sent = 0
const order = (user: string): string => `{"user_id":"${user}","order_id":"r${++sent}","order_value":1}`
export const sendOrders = ({ env }: Troubled, count = 2, user = 'user_1'): Promise<void> =>
  sendBodies(
    env,
    Array.from({ length: count }, () => order(user)),
  )

const waiting = ({ redis }: Troubled, stage: string, stream: string): Promise<unknown> =>
  until(`orders to wait for ${stage}`, async () => {
    const [last] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1)
    const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][]
    const group = groups.find((one) => one[1] === stage) ?? []
    return last !== undefined && last[0] !== group[group.indexOf('last-delivered-id') + 1]
  })

/** A stage has no process, and orders wait for it. */
export const stageGone =
  (stage: string, stream: string): Incident =>
  async (system) => {
    await system.stop(stage)
    await sendOrders(system)
    await waiting(system, stage, stream)
    return () => system.start(stage)
  }

export const roleGone =
  (role: string): Incident =>
  async ({ stop, start }) => {
    await stop(role)
    return () => start(role)
  }

export const redisStopped: Incident = async ({ server }) => {
  await server.stop()
  return () => server.start()
}

/** A setting of Redis is changed. */
export const redisSet =
  (name: string, value: string): Incident =>
  async ({ redis }) => {
    const [, before = ''] = (await redis.config('GET', name)) as string[]
    await redis.config('SET', name, value)
    return () => redis.config('SET', name, before)
  }

/** Another client gives a key another type. */
export const replaced =
  (key: string, then: Incident = async () => async () => {}): Incident =>
  async (system) => {
    const { redis } = system
    await redis.rename(key, `${key}:kept`)
    await redis.set(key, 'of another type')
    const end = await then(system)
    return async () => {
      await redis.multi().del(key).rename(`${key}:kept`, key).exec()
      await end()
    }
  }

/** Orders of user_1 arrive, which a stage cannot commit. */
export const pendingOrders: Incident = async (system) => {
  await sendOrders(system)
  await until('an entry to be pending', async () => {
    const [count] = (await system.redis.xpending('orders:valid', 'aggregate')) as [number]
    return count > 0
  })
  return async () => {}
}

export const sqsDenies =
  (call: string): Incident =>
  async ({ replies }) => {
    replies.set(call, denied)
    return async () => replies.delete(call)
  }

export const sqsClock: Incident = async ({ sqs }) => {
  sqs.shift(100)
  return async () => sqs.shift(0)
}

export const wrongOrders: Incident = async ({ env, redis }) => {
  const before = await redis.llen('invalid_orders')
  await sendBodies(env, ['{"user_id":"user_1","order_id":"w"}'])
  await until('the order to be rejected', async () => (await redis.llen('invalid_orders')) > before)
  return async () => {}
}

/** A release with a bug, which is gone again. */
export const bug: Incident = async ({ redis, stop, start }) => {
  await stop('validate')
  await rejectByBug(redis, [order('user_2')])
  return start('validate').then(() => async () => {})
}

export const booksChanged: Incident = async ({ redis }) => {
  await redis.hincrby('global:stats', 'total_orders', 1)
  return async () => {}
}

/** Another client deletes orders that wait for leaderboard, slowly enough for the slow log. */
export const entriesDeleted: Incident = async (system) => {
  const { redis, env } = system
  const restart = await stageGone('leaderboard', 'orders:counted')(system)
  const slowly = await redisSet('slowlog-log-slower-than', '0')(system)
  await redis.xtrim('orders:counted', 'MAXLEN', 0)
  await slowly()
  await restart()
  return () => runOrders(['verify', '--write-off', '--yes'], env).exit()
}

/** The bridge is paused at its end, as the runbook says. */
export const deadLetters: Incident = async ({ env, api }) => {
  await fillDeadLetters(env, [order('user_3')])
  return () => send(`${api()}/admin/resume/bridge`, 'POST', {})
}

export const memoryFilled: Incident = async ({ redis }) => {
  const used = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
  await redis.config('SET', 'maxmemory', Math.ceil(used / 0.9))
  return () => redis.config('SET', 'maxmemory', 0)
}

/** The folder of the archive is gone. */
export const archiveGone: Incident = async (system) => {
  const isFailing = async (): Promise<boolean> => (await system.redis.hexists('pipeline:archive', 'failure')) === 1
  const restore = await replaceByFile(system.archive)
  await sendOrders(system)
  await until('the archive to fail', isFailing)
  return async () => {
    await restore()
    await until('the archive to be written again', async () => !(await isFailing()))
  }
}

export const jobWaits: Incident = async ({ api, stop, start }) => {
  await stop('jobs')
  await send(`${api()}/orders/reprocess`, 'POST', { ...corrected, order_id: `r${++sent}` })
  return () => start('jobs')
}

export const paused: Incident = async ({ api }) => {
  await send(`${api()}/admin/pause/aggregate`, 'POST', { reason: 'a look' })
  return () => send(`${api()}/admin/resume/aggregate`, 'POST', {})
}

export const emptied: Incident = async ({ redis }) => {
  await redis.flushall()
  await until('an incident to be seen', async () => (await redis.exists('pipeline:incidents')) > 0)
  return async () => {}
}

/** Nothing that the command could not be tried in. */
export const none: Incident = async () => async () => {}
