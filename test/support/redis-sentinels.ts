import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type HoldingProxy, openHoldingProxy } from './holding-proxy.ts'
import { killOnExit, removeOnExit } from './on-exit.ts'
import { freePort, type RedisServer, spawnRedisServer } from './redis-server.ts'
import { until } from './until.ts'

/** A master with a replica, and three sentinels of which two decide. */
export interface Sentinels extends AsyncDisposable {
  /** For REDIS_SENTINELS. */
  readonly addresses: string
  readonly name: string
  readonly password: string
  /** The server that the sentinels name. */
  master(): Promise<RedisServer>
  /** Asks for a planned failover, and resolves when the sentinels name the other server. */
  failOver(): Promise<void>
  /** Resolves when the master has a replica in step, which every sentinel knows. */
  settled(): Promise<void>
  /** Holds every question for the master, and resolves when there is one. */
  hold(): Promise<void>
  /** Answers what is held. */
  release(): void
  /** Resolves when it listens, with a promise that resolves when every sentinel has announced the next failover. */
  listen(): Promise<{ readonly announced: Promise<unknown> }>
  /** Returns how many connections listen for failovers. */
  subscribers(): Promise<number>
}

const name = 'orders'
const password = 'sentinel-word'
/** Counts a master as dead after this long without a reply. */
const downAfterMs = 1_000

export async function spawnSentinels(): Promise<Sentinels> {
  await using stack = new AsyncDisposableStack()
  const quick = ['--repl-diskless-sync-delay', '0']
  const first = stack.use(await spawned(...quick))
  const second = stack.use(await spawned(...quick, '--replicaof', '127.0.0.1', `${first.port}`))
  const sentinels = await Promise.all([1, 2, 3].map(async () => stack.use(await spawnSentinel(first.port))))
  const [{ client }] = sentinels as [Sentinel, ...Sentinel[]]
  const master = async (): Promise<RedisServer> => {
    const [, port] = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[]
    return port === `${first.port}` ? first : second
  }
  const settled = async (): Promise<void> => {
    await Promise.all(sentinels.map((sentinel) => knowsAll(sentinel.client)))
  }
  await settled()
  const opened = stack.move()
  return {
    addresses: sentinels.map(({ proxy }) => `127.0.0.1:${proxy.port}`).join(','),
    name,
    password,
    master,
    settled,
    failOver: async () => {
      const { port } = await master()
      await client.call('SENTINEL', 'FAILOVER', name)
      await until('another master', master, (now) => now.port !== port)
    },
    hold: async () => {
      for (const { proxy } of sentinels) proxy.hold('get-master-addr-by-name')
      await until('a question for the master', () => sentinels.some(({ proxy }) => proxy.held() > 0))
    },
    release: () => {
      for (const { proxy } of sentinels) proxy.release()
    },
    listen: async () => {
      const heard = await Promise.all(sentinels.map(({ client }) => listenTo(client)))
      return { announced: Promise.all(heard.map(({ announced }) => announced)) }
    },
    subscribers: async () => {
      const lists = sentinels.map(({ client }) => client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
      return `${await Promise.all(lists)}`.split('\n').filter((line) => line.includes('id=')).length
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function spawned(...options: string[]): Promise<RedisServer> {
  const server = await spawnRedisServer(...options)
  if (!server) throw new Error('no redis-server')
  return server
}

interface Sentinel extends AsyncDisposable {
  /** In front of it: for the processes under test and the other sentinels. */
  readonly proxy: HoldingProxy
  readonly client: Redis
}

async function spawnSentinel(masterPort: number): Promise<Sentinel> {
  const dir = mkdtempSync(join(tmpdir(), 'orders-test-sentinel-'))
  const folder = removeOnExit(dir)
  const port = await freePort()
  const proxy = await openHoldingProxy(port)
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `requirepass ${password}`,
    `sentinel announce-port ${proxy.port}`,
    `sentinel sentinel-pass ${password}`,
    `sentinel monitor ${name} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
    `sentinel failover-timeout ${name} 5000`,
  ]
  writeFileSync(join(dir, 'sentinel.conf'), `${lines.join('\n')}\n`)
  const child: ChildProcess = spawn('redis-server', [join(dir, 'sentinel.conf'), '--sentinel'], { stdio: 'ignore' })
  killOnExit(child)
  await once(child, 'spawn')
  const client = new Redis(port, '127.0.0.1', { password, retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {})
  const close = async (): Promise<void> => {
    client.disconnect()
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
    await proxy[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  }
  return { proxy, client, [Symbol.asyncDispose]: close }
}

/** Requires that a sentinel knows the master, a replica in sync with it, and both other sentinels. */
async function knowsAll(client: Redis): Promise<void> {
  const table = (reply: unknown): Map<string, string> => {
    const flat = reply as string[]
    return new Map(flat.flatMap((key, at) => (at % 2 === 0 ? [[key, flat[at + 1] ?? ''] as [string, string]] : [])))
  }
  await until('a sentinel to know all', async () => {
    const seen = table(await client.call('SENTINEL', 'MASTER', name))
    const replicas = ((await client.call('SENTINEL', 'REPLICAS', name)) as unknown[]).map(table)
    const inStep = replicas.some((one) => one.get('master-link-status') === 'ok' && one.get('flags') === 'slave')
    return seen.get('flags') === 'master' && seen.get('num-other-sentinels') === '2' && inStep
  })
}

async function listenTo(client: Redis): Promise<{ readonly announced: Promise<void> }> {
  const subscriber = client.duplicate()
  subscriber.on('error', () => {})
  const announced = once(subscriber, 'message').then(() => subscriber.disconnect())
  await subscriber.subscribe('+switch-master')
  return { announced }
}
