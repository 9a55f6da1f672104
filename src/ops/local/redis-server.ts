import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, realpathSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { readRedisUrl } from '../../config/redis-url.ts'
import { OrdersError } from '../../errors.ts'

/** A server that runs on this machine until it is disposed. */
export interface LocalServer extends AsyncDisposable {
  readonly url: string
}

/** Runs a server with a random password until disposed. It is restarted if it dies, and ends with this process. */
export async function spawnRedis(
  program: string,
  folder: string,
  onSpawned: (url: string) => void,
): Promise<LocalServer & { note: string }> {
  const dir = resolve(folder, 'redis')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const port = await freePort()
  const password = randomBytes(16).toString('hex')
  // Passed on standard input: other users can see the arguments of a process.
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `requirepass ${password}`,
    'maxmemory-policy noeviction',
    `dir ${quoted(dir)}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
  ].join('\n')
  let stopping = false
  let child: ChildProcess
  const keepUp = (): void => {
    if (stopping) return
    child = spawnBound(program, ['-'], settings)
    child.once('exit', () => setTimeout(keepUp, respawnMs))
  }
  keepUp()
  const stop = async (): Promise<void> => {
    stopping = true
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }
  const url = `redis://default:${password}@127.0.0.1:${port}` // redis-cli takes no URL with an empty user
  const note = `private ${program} at redis://127.0.0.1:${port}`
  onSpawned(url)
  if (await answers(url)) return { url, note, [Symbol.asyncDispose]: stop }
  await stop()
  throw new OrdersError(
    'ORD_LOCAL',
    `${program} does not start with its data in ${dir}: check that folder, or set REDIS_URL.`,
  )
}

/** Quotes a word for the configuration of redis-server. */
function quoted(word: string): string {
  const hex = (control: string): string => Buffer.from(control).toString('hex').replace(/../g, '\\x$&')
  return `"${word.replace(/["\\]/g, '\\$&').replace(/\p{Cc}/gu, hex)}"`
}

/**
 * Starts a program that ends with this process, even if this process is killed. The kernel then closes the pipe to the
 * shell's background job, and the job stops the program with SIGTERM. The shell becomes the program, so both share a process
 * id. A line on the pipe ends the job: the program has ended, and its id may be reused. Only its owner can read the files
 * that the program writes.
 */
function spawnBound(program: string, args: readonly string[], input: string): ChildProcess {
  const script = 'umask 077; { read -r line <&3 || kill $$; } & exec "$0" "$@" 3<&-'
  // Detached, so that Ctrl-C on the terminal reaches only us: Redis stops last.
  const child = spawn(shell, ['-c', script, program, ...args], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    detached: true,
  })
  child.stdin?.on('error', () => {}) // it may end before it has read everything
  child.stdin?.end(input)
  const pipe = child.stdio[3] as Socket
  pipe.on('error', () => {}) // the job is gone already
  child.once('error', () => {})
  child.once('exit', () => pipe.end('\n'))
  return child
}

const shell = '/bin/sh'
const respawnMs = 200
/** Redis loads some 100 MB of append-only file a second; half a minute is a large local store. */
const loadMs = 30_000

async function answers(url: string): Promise<boolean> {
  const probe = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  probe.on('error', () => {})
  const timeout = new AbortController()
  const late = sleep(loadMs, false, { signal: timeout.signal }).catch(() => false)
  try {
    return await Promise.race([probe.ping().then(() => true), late])
  } finally {
    timeout.abort()
    probe.disconnect()
  }
}

/**
 * Shuts down a Redis that a killed `orders start` left behind, so that its files have one writer. Never throws, whatever
 * the URL names.
 * @param folder our data folder; a server with its data elsewhere is not ours
 */
export async function shutDownOrphan(url: string, folder: string): Promise<void> {
  const place = readRedisUrl(url)
  if (typeof place === 'string' || !('host' in place.address) || place.address.host !== '127.0.0.1') return // not ours
  const { address, password } = place
  const redis = new Redis({ ...address, ...(password !== undefined && { password }), ...orphanOptions })
  redis.on('error', () => {})
  const late = setTimeout(() => redis.disconnect(), loadMs)
  try {
    await redis.connect() // waits while it loads its data
    const [, dir] = (await redis.config('GET', 'dir')) as string[]
    if (dir === realpathSync(resolve(folder, 'redis'))) await redis.shutdown() // Redis reports the path without symbolic links
  } catch {
    // It is not running, or it has just stopped: both are fine.
  } finally {
    clearTimeout(late)
    redis.disconnect()
  }
}

/**
 * Options for a single try. A server that is silent for five seconds is no Redis: even while it loads its data, Redis
 * answers INFO, which is sent twice a second.
 */
const orphanOptions = {
  lazyConnect: true,
  retryStrategy: null,
  maxRetriesPerRequest: 0,
  socketTimeout: 5_000,
  connectTimeout: 5_000,
  maxLoadingRetryTime: 500,
} as const satisfies RedisOptions

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
