import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { spawnOrders } from '../support/process.ts'
import { openProxy, type TcpProxy } from '../support/proxy.ts'
import { type RedisServer, spawnRedisServer } from '../support/redis-server.ts'
import { openSqsProxy, type SqsProxy } from '../support/sqs-proxy.ts'
import { spawnSqsServer } from '../support/sqs-server.ts'
import { until } from '../support/until.ts'
import { type Fleet, openFleet } from './fleet.ts'

/** The label `system` of what is observed. */
export const system = 'observed'

/** The roles of the product; two processes run each. */
const roles = ['api', 'bridge', 'validate', 'calendar', 'archive', 'aggregate', 'leaderboard', 'jobs']

const token = 'a-token-of-the-observer'

/** The exit code of a command that Redis did not answer in time: on a busy machine another try helps. */
const redisAwayCode = 3

/** Room for the load, and little enough to be filled. */
const maxMemory = '256mb'

/** Waits that would only prolong the run. Each is a setting that a system may have. */
const quick = {
  LEDGER_BUCKETS: '1024', // a validate that starts reads all of a small ledger
  SQS_WAIT_TIME_SECONDS: '1',
  BRIDGE_POLLERS: '4',
  CLAIM_IDLE_MS: '1000',
  JOB_VERDICT_MS: '1000',
  JOB_LOCK_MS: '2000',
  ARCHIVE_SEGMENT_SECONDS: '1',
}

/** A whole system that can be disturbed. */
export interface World extends AsyncDisposable {
  readonly fleet: Fleet
  readonly server: RedisServer
  /** Between the processes and Redis. */
  readonly proxy: TcpProxy
  /** Of an operator, past the proxy. */
  readonly redis: Redis
  readonly sqs: SqsProxy
  /** Replies in place of those of SQS, by the name of the call. */
  readonly replies: Map<string, object>
  /** Where the archive is. */
  readonly archive: string
  /** The environment of a command. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a command to its end. @throws if it fails */
  orders(...args: string[]): Promise<void>
  /** Sends a request as an operator. */
  request(path: string, method?: string, body?: unknown): Promise<Response>
  /** Sends orders to SQS until it is disposed. */
  load(...args: string[]): AsyncDisposable
}

/**
 * Starts Redis, SQS and two processes of each role.
 * @param folder where Node keeps what it compiled, so that processes start faster; the archive is there too
 * @throws if there is no redis-server
 */
export async function openWorld(folder: string): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const server = await spawnRedisServer('--maxmemory', maxMemory)
  if (!server) throw new Error('There is no redis-server on the PATH: install it.')
  stack.use(server)
  const proxy = stack.use(await openProxy(server.port))
  const emulator = stack.use(await spawnSqsServer())
  const replies = new Map<string, object>()
  const sqs = stack.use(await openSqsProxy(emulator.url, (name) => replies.get(name)))
  const archive = join(folder, 'archive')
  const common = {
    ...quick,
    ARCHIVE_URL: pathToFileURL(archive).href,
    ADMIN_TOKEN: token,
    API_PORT: '0',
    LOG_LEVEL: 'info',
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
  }
  // Commands and load pass by what disturbs the processes.
  const env = { ...common, REDIS_URL: server.url, AWS_ENDPOINT_URL: emulator.url }
  const orders = async (args: readonly string[], triesLeft = 3): Promise<void> => {
    await using command = spawnOrders(args, env)
    const { code } = await command.exit()
    if (code === redisAwayCode && triesLeft > 0) return orders(args, triesLeft - 1)
    const found = args[0] === 'verify' ? 1 : 0 // its exit code where it has found, and repaired, a difference
    if (code !== 0 && code !== found)
      throw new Error(`orders ${args.join(' ')} failed: ${command.stdout()}${command.stderr()}`)
  }
  await orders(['populate', '--valid', '1', '--invalid', '1']) // creates the queue, so that bridges do not race for it
  const ofProcesses = { ...common, REDIS_URL: `redis://127.0.0.1:${proxy.port}`, AWS_ENDPOINT_URL: sqs.url }
  const fleet = stack.use(await openFleet(roles, ofProcesses))
  const redis = new Redis(server.url)
  redis.on('error', () => {}) // it is stopped on purpose
  stack.defer(() => redis.disconnect())
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const request: World['request'] = (path, method = 'GET', body) =>
    fetch(`${fleet.url('api', 0)}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const world = { fleet, server, proxy, redis, sqs, replies, archive, env, request }
  await until('the first order to be ranked', async () => {
    return (await redis.hget('pipeline:counters', 'ranked')) === '1'
  })
  const open = stack.move()
  return {
    ...world,
    orders: (...args) => orders(args),
    load: (...args) => spawnOrders(['populate', ...args], env),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
