import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { readRunning } from '../../src/ops/local/running-system.ts'
import { removeOnExit } from '../support/on-exit.ts'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { requireRedisServer } from '../support/requires.ts'
import { until } from '../support/until.ts'
import { emptyRedis, envOf } from '../support/world.ts'

const env = { API_PORT: '0', SQS_WAIT_TIME_SECONDS: '1' }

interface Started extends AsyncDisposable {
  readonly orders: OrdersProcess
  /** The folder of its data. */
  readonly data: string
  readonly redisPid: number
}

/** Starts a `start` or `demo` in a folder of its own, and waits until its redis-server answers and its roles run. */
async function started(command: string, folder: string): Promise<Started> {
  const orders = spawnOrders([command], env, { cwd: folder })
  const up = command === 'demo' ? 'sent to SQS' : 'Live '
  await until(`${command} to be up: ${orders.stderr()}`, () => orders.stdout().includes(up))
  const { redisUrl = '', folder: data = '' } = readRunning(join(folder, '.data')) ?? {}
  const redis = new Redis(redisUrl)
  const redisPid = await pidOf(redis)
  redis.disconnect()
  const close = async (): Promise<void> => {
    await orders[Symbol.asyncDispose]()
    if (runs(redisPid)) process.kill(redisPid, 'SIGKILL') // should its test have failed
  }
  return { orders, data, redisPid, [Symbol.asyncDispose]: close }
}

async function pidOf(redis: Redis): Promise<number> {
  const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1])
  if (!(pid > 1)) throw new Error('the server does not say its process id')
  return pid
}

/** Returns whether a process runs. One that has ended does not, even if its parent has not waited for it. */
function runs(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return false
  return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

const isGone = (pid: number): Promise<boolean> => until(`process ${pid} to be gone`, () => !runs(pid))

function ownFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'orders-test-terminal-'))
  return { path, ...removeOnExit(path) }
}

test.for(['start', 'demo'])(
  '%s: a terminal that is closed (SIGHUP, twice) is an orderly stop',
  async (command, context) => {
    requireRedisServer(context)
    using folder = ownFolder()
    await using one = await started(command, folder.path)
    one.orders.child.kill('SIGHUP')
    await sleep(600) // a shell passes it on, the kernel sends another when the shell has ended
    expect(await one.orders.kill('SIGHUP')).toEqual({ code: 0, signal: null })
    expect(one.orders.stderr()).not.toContain('Error')
    expect(runs(one.redisPid)).toBe(false)
    expect(readRunning(join(folder.path, '.data'))).toBeUndefined()
    if (command === 'demo') expect(existsSync(one.data)).toBe(false)
  },
)

test('SIGHUP is an orderly stop of a role, too', async () => {
  await using redis = await emptyRedis()
  await using role = spawnOrders(['run', 'validate'], envOf(redis.url))
  await role.started()
  expect(await role.kill('SIGHUP')).toEqual({ code: 0, signal: null })
  expect(role.events('stopped')).toHaveLength(1)
})

test.for([
  ['start', 'SIGKILL'],
  ['demo', 'SIGKILL'],
  ['start', 'SIGQUIT'],
] as const)('%s, ended by %s, leaves no redis-server behind', async ([command, signal], context) => {
  requireRedisServer(context)
  using folder = ownFolder()
  await using one = await started(command, folder.path)
  expect(await one.orders.kill(signal)).toEqual({ code: null, signal })
  await isGone(one.redisPid)
})

test('a start that was killed finds all its data at the next start', async (context) => {
  requireRedisServer(context)
  using folder = ownFolder()
  const get = async (orders: OrdersProcess): Promise<number> => {
    const reply = await fetch(`${await orders.apiUrl()}/stats/global`)
    return z.object({ total_orders: z.int() }).parse(await reply.json()).total_orders
  }
  {
    await using one = await started('start', folder.path)
    await using populate = spawnOrders(['populate', '--valid', '40', '--invalid', '0'], env, { cwd: folder.path })
    await populate.exit()
    await until(
      'all to be counted',
      () => get(one.orders),
      (orders) => orders === 40,
    )
    await one.orders.kill('SIGKILL') // the next start comes while its redis-server is still on its way out
  }
  await using next = await started('start', folder.path)
  expect(await get(next.orders)).toBe(40)
  expect(await next.orders.kill('SIGTERM')).toEqual({ code: 0, signal: null })
})

test('a redis-server that died and was started again ends with its start, too', async (context) => {
  requireRedisServer(context)
  using folder = ownFolder()
  await using one = await started('start', folder.path)
  process.kill(one.redisPid, 'SIGKILL')
  const { redisUrl = '' } = readRunning(join(folder.path, '.data')) ?? {}
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const again = await pidOf(redis)
  redis.disconnect()
  expect(again).not.toBe(one.redisPid)
  await one.orders.kill('SIGKILL')
  await isGone(again)
})

/** Returns the process that ends a redis-server with its parent: its only child. */
function watcherOf(redisPid: number): number {
  const pid = Number(readFileSync(`/proc/${redisPid}/task/${redisPid}/children`, 'utf8').trim())
  if (!(pid > 1)) throw new Error('nothing watches the parent of this redis-server') // 0 would be our own group
  return pid
}

/** Kills a start or demo and what would end its redis-server with it. */
async function leaveBehind({ orders, redisPid }: Started): Promise<void> {
  process.kill(watcherOf(redisPid), 'SIGKILL')
  await orders.kill('SIGKILL')
  expect(runs(redisPid)).toBe(true)
}

test.for([
  ['start', 'demo'],
  ['demo', 'start'],
] as const)(
  'a redis-server that a killed %s left behind all the same is gone when %s runs',
  async ([command, other], context) => {
    requireRedisServer(context)
    using folder = ownFolder()
    await using one = await started(command, folder.path)
    await leaveBehind(one)
    await using next = await started(other, folder.path)
    expect(runs(one.redisPid)).toBe(false)
    expect(await next.orders.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  },
)

test('it is found by another name of the same folder, so that its files have one writer', async (context) => {
  requireRedisServer(context)
  using folder = ownFolder()
  mkdirSync(join(folder.path, 'here'))
  mkdirSync(join(folder.path, 'elsewhere'))
  symlinkSync(join(folder.path, 'here'), join(folder.path, 'link'))
  await using one = await started('start', join(folder.path, 'here'))
  await leaveBehind(one)
  const place = { DATA_DIR: join(folder.path, 'link/.data') }
  await using next = spawnOrders(['start'], { ...env, ...place }, { cwd: join(folder.path, 'elsewhere') })
  await next.started()
  expect(runs(one.redisPid)).toBe(false)
  expect(await next.kill('SIGTERM')).toEqual({ code: 0, signal: null })
})
