import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Config } from '../../config/config.ts'
import { OrdersError } from '../../errors.ts'
import { namesSqs } from '../../ingest/sqs/endpoint.ts'
import { namesRedis } from '../../redis/endpoint.ts'
import { keepGivenBack } from './given-back.ts'
import { creatingPrivately } from './private-files.ts'
import { refuseQueryProtocol } from './query-protocol.ts'
import { findRedisProgram } from './redis-program.ts'
import { type LocalServer, spawnRedis } from './redis-server.ts'

/** Local emulators for the servers that are not configured: a configuration with their URLs, and notes to print. */
export interface Local extends AsyncDisposable {
  readonly config: Config
  readonly notes: readonly string[]
  /** True if Redis is the in-process emulator: its data ends with this process. */
  readonly isForgetful: boolean
}

/**
 * Starts local emulators of SQS and Redis if the configuration names none, on loopback, with their data in `folder`.
 * @param onSpawned called with the URL of a redis-server as soon as it has a process
 */
export async function openLocal(config: Config, folder: string, onSpawned: (redisUrl: string) => void): Promise<Local> {
  await using stack = new AsyncDisposableStack()
  const notes: string[] = []
  let { awsEndpointUrl, redisUrl } = config
  let isForgetful = false
  if (!namesSqs(config)) {
    awsEndpointUrl = stack.use(await localSqs(folder)).url
    notes.push(`SQS    local emulator at ${awsEndpointUrl} (messages in ${folder})`)
  }
  if (!namesRedis(config)) {
    const redis = stack.use(await localRedis(folder, resolve(config.dataDir, 'running.json'), onSpawned))
    redisUrl = redis.url
    isForgetful = redis.isForgetful
    notes.push(`Redis  ${redis.note}`)
  }
  const opened = stack.move()
  // That of a local Redis is in its URL.
  const redisPasswordFile = redisUrl === config.redisUrl ? config.redisPasswordFile : undefined
  return {
    config: { ...config, awsEndpointUrl, redisUrl, redisPasswordFile },
    notes,
    isForgetful,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function localSqs(folder: string): Promise<LocalServer> {
  const { startFauxqs } = await emulator(() => import('fauxqs'), 'fauxqs')
  using _ = onLoopback()
  using _refusing = refuseQueryProtocol()
  using _private = creatingPrivately()
  const dataDir = resolve(folder, 'sqs')
  mkdirSync(dataDir, { recursive: true })
  const portFile = resolve(dataDir, 'port')
  const kept = portIn(portFile)
  const port = kept !== undefined && (await isFree(kept)) ? kept : 0
  const server = await startFauxqs({ port, logger: false, dataDir })
  keepGivenBack(dataDir)
  if (kept === undefined) writeFileSync(portFile, String(server.port))
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop() }
}

/** Returns the port of the folder's first start, which the URLs of its queues name; undefined if there was none. */
function portIn(file: string): number | undefined {
  const port = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : undefined
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return false
  }
  await promisify(probe.close.bind(probe))()
  return true
}

async function localRedis(
  folder: string,
  passwordFile: string,
  onSpawned: (url: string) => void,
): Promise<LocalServer & { note: string; isForgetful: boolean }> {
  const { program, advice } = await findRedisProgram()
  if (program !== undefined) {
    const { url, ...server } = await spawnRedis(program, folder, onSpawned)
    const note = `${server.note} (append-only file in ${folder}, password in ${passwordFile})`
    return { ...server, url, note, isForgetful: false }
  }
  const { createRedisMock } = await emulator(() => import('js-redis-server'), 'js-redis-server')
  using _ = onLoopback()
  const mock = await createRedisMock()
  return {
    url: mock.url,
    note: `in-process emulator, for a first try only: it keeps no data and slows down beyond some 5,000 orders (${advice})`,
    isForgetful: true,
    [Symbol.asyncDispose]: () => mock.close(),
  }
}

/**
 * Makes servers listen on loopback until disposed, and turns off Nagle's algorithm for their sockets. Both emulators would
 * listen on every interface and delay each reply by 40 ms.
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

/** Loads an emulator. They are development dependencies, which production neither has nor needs. */
async function emulator<M>(load: () => Promise<M>, name: string): Promise<M> {
  try {
    return await load()
  } catch (error) {
    const message = `The local emulator ${name} is not installed: run npm ci, or set AWS_ENDPOINT_URL and REDIS_URL.`
    throw new OrdersError('ORD_LOCAL', message, { cause: error })
  }
}
