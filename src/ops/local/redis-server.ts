import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdirSync, realpathSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { readRedisUrl } from '../../config/redis-url.ts'
import type { Config } from '../../config.ts'
import { OrdersError } from '../../errors.ts'
import { namesRedis } from '../../redis/endpoint.ts'
import { creatingPrivately } from './private-files.ts'
import { refuseQueryProtocol } from './query-protocol.ts'
import { findRedisProgram } from './redis-program.ts'

/** What stands in where nothing is configured: the configuration that names it, and what people should know. */
export interface Local extends AsyncDisposable {
  readonly config: Config
  readonly notes: readonly string[]
}

/**
 * Starts stand-ins for SQS and Redis where the configuration names none, on loopback, with their data in `folder`.
 * @param onSpawned called with the URL of a redis-server as soon as it has a process
 */
export async function openLocal(config: Config, folder: string, onSpawned: (redisUrl: string) => void): Promise<Local> {
  await using stack = new AsyncDisposableStack()
  const notes: string[] = []
  let { awsEndpointUrl, redisUrl } = config
  if (awsEndpointUrl === undefined) {
    awsEndpointUrl = stack.use(await localSqs(folder)).url
    notes.push(`SQS    local stand-in at ${awsEndpointUrl} (messages in ${folder})`)
  }
  if (!namesRedis(config)) {
    const redis = stack.use(await localRedis(folder, resolve(config.dataDir, 'running.json'), onSpawned))
    redisUrl = redis.url
    notes.push(`Redis  ${redis.note}`)
  }
  const opened = stack.move()
  return { config: { ...config, awsEndpointUrl, redisUrl }, notes, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

interface StandIn extends AsyncDisposable {
  readonly url: string
}

async function localSqs(folder: string): Promise<StandIn> {
  const { startFauxqs } = await emulator(() => import('fauxqs'), 'fauxqs')
  using _ = onLoopback()
  using _refusing = refuseQueryProtocol()
  using _private = creatingPrivately()
  const dataDir = resolve(folder, 'sqs')
  mkdirSync(dataDir, { recursive: true })
  const server = await startFauxqs({ port: 0, logger: false, dataDir })
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop() }
}

async function localRedis(
  folder: string,
  passwordFile: string,
  onSpawned: (url: string) => void,
): Promise<StandIn & { note: string }> {
  const { program, advice } = await findRedisProgram()
  if (program !== undefined) {
    const { url, ...server } = await spawnRedis(program, folder, onSpawned)
    return { ...server, url, note: `${server.note} (append-only file in ${folder}, password in ${passwordFile})` }
  }
  const { createRedisMock } = await emulator(() => import('js-redis-server'), 'js-redis-server')
  using _ = onLoopback()
  const mock = await createRedisMock()
  return {
    url: mock.url,
    note: `in-process emulator: for a look around; it forgets everything and slows beyond some 5,000 orders (${advice})`,
    [Symbol.asyncDispose]: () => mock.close(),
  }
}

/** Runs a server with a password of its own until disposed. It is started again should it die, and ends when this process does. */
async function spawnRedis(
  program: string,
  folder: string,
  onSpawned: (url: string) => void,
): Promise<StandIn & { note: string }> {
  const dir = resolve(folder, 'redis')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const port = await freePort()
  const password = randomBytes(16).toString('hex')
  // Read from its standard input: other users can see the arguments of a process.
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
  const url = `redis://:${password}@127.0.0.1:${port}`
  const note = `private ${program} at redis://127.0.0.1:${port}`
  onSpawned(url)
  if (await answers(url)) return { url, note, [Symbol.asyncDispose]: stop }
  await stop()
  throw new OrdersError('ORD_LOCAL', `${program} does not come up on its data in ${dir}: look there, or set REDIS_URL.`)
}

/** Writes a word as the configuration of redis-server reads it. */
function quoted(word: string): string {
  const hex = (control: string): string => Buffer.from(control).toString('hex').replace(/../g, '\\x$&')
  return `"${word.replace(/["\\]/g, '\\$&').replace(/\p{Cc}/gu, hex)}"`
}

/**
 * Starts a program that ends when this process does, however that ends: a pipe from here to the shell's background job is
 * closed by the kernel then, and the job, once it reads the end, stops the program with SIGTERM. The shell becomes the
 * program, so the two share a process id. A line on the pipe sends the job away: the program has ended, and its id may
 * be another's by now. What the program writes is open to its owner alone.
 */
function spawnBound(program: string, args: readonly string[], input: string): ChildProcess {
  const script = 'umask 077; { read -r line <&3 || kill $$; } & exec "$0" "$@" 3<&-'
  // Detached: a Ctrl-C on the terminal is for us; Redis is stopped when all else has ended.
  const child = spawn(shell, ['-c', script, program, ...args], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    detached: true,
  })
  child.stdin?.on('error', () => {}) // it ended before it had read all
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
 * Asks a Redis that a killed `orders start` left behind to save and go, so that its files have one writer. Whatever the
 * URL names, this ends without an error.
 * @param folder a server that keeps its data elsewhere is not ours
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
    if (dir === realpathSync(resolve(folder, 'redis'))) await redis.shutdown() // it says no symbolic links
  } catch {
    // It is not there, or it is gone: what we want.
  } finally {
    clearTimeout(late)
    redis.disconnect()
  }
}

/**
 * For one try. A server that says nothing at all for five seconds is no Redis: one that loads its data still answers INFO,
 * and is asked twice a second.
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

/**
 * Both emulators would listen on every interface, and leave Nagle's algorithm on (40 ms a reply). While this is held,
 * servers listen on loopback; their sockets send at once for good.
 */
export function onLoopback(): Disposable {
  const listen = 'tracing:net.server.listen:asyncStart'
  const bind = (message: unknown): void => {
    Object.assign((message as { options: object }).options, { host: '127.0.0.1' })
  }
  diagnostics.subscribe(listen, bind)
  diagnostics.subscribe('net.server.socket', sendAtOnce)
  return { [Symbol.dispose]: () => diagnostics.unsubscribe(listen, bind) }
}

function sendAtOnce(message: unknown): void {
  const { socket } = message as { socket: Socket }
  socket.setNoDelay(true)
}

/** The emulators are development dependencies: production neither has nor needs them. */
async function emulator<M>(load: () => Promise<M>, name: string): Promise<M> {
  try {
    return await load()
  } catch (error) {
    const told = `The local stand-in ${name} is not installed: run npm ci, or set AWS_ENDPOINT_URL and REDIS_URL.`
    throw new OrdersError('ORD_LOCAL', told, { cause: error })
  }
}
