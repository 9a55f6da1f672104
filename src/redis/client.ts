import type { Redis, RedisOptions } from 'ioredis'
import type { Config } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import type { Telemetry } from '../telemetry.ts'
import { isCluster, openCluster } from './cluster.ts'
import { connectOnce } from './connect.ts'
import { safeUrl, userOf } from './endpoint.ts'
import { isForbidden } from './errors.ts'
import { outagesOf } from './outages.ts'
import { refusalOf } from './refusal/refusal.ts'
import { nameForbidden } from './rights.ts'
import { doubtMs, openRole, type Role, retryDelayMs } from './role.ts'
import { disconnectTimeoutMs, openOne } from './single.ts'

/** One Redis or a Redis Cluster. Both have the same commands; ioredis types them apart. */
export type RedisClient = Redis

/**
 * `work` waits for Redis to come back, however long: a commit that is sent again counts once. `ask` fails within two
 * seconds: a caller waits for the answer.
 */
export type Patience = 'work' | 'ask'

const patience = {
  work: { maxRetriesPerRequest: null },
  ask: { maxRetriesPerRequest: 1, commandTimeout: 2_000 },
} as const satisfies { readonly [P in Patience]: RedisOptions }

/** Redirections of one command on a cluster. 16 is the default of ioredis; most of them come after 100 ms. */
const maxRedirections = { work: Number.POSITIVE_INFINITY, ask: 16 } as const satisfies Record<Patience, number>
/**
 * A connection that owes a reply and has been silent for this long is replaced: it may be open on our side alone. Longer
 * than the ten seconds for which BullMQ's workers block.
 */
const silentMs = 15_000
/** The same for our own blocking reads, in addition to the time for which they block. */
const lateMs = 4_000

/** Long enough for a slow network. */
const connectTimeoutMs = 5_000
/** Ms between two checks whether Redis has loaded its data. */
const loadingRetryMs = 500

/**
 * Opens a connection; close it with `closeRedis`.
 * @param withinMs how long the first answer may take
 * @throws OrdersError ORD_REDIS_UNREACHABLE if Redis does not answer, ORD_REDIS_REFUSED if it rejects the connection as
 * configured
 */
export async function openRedis(
  config: Config,
  kind: Patience,
  telemetry: Telemetry,
  withinMs = connectTimeoutMs,
): Promise<RedisClient> {
  // The first connection is tried once: an operator who starts a process waits for the result.
  let connected = false
  const role = openRole()
  const retryStrategy = (times: number): number | null =>
    connected ? Math.max(retryDelayMs(times), role.delayMs()) : null
  const options = {
    ...patience[kind],
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: disconnectTimeoutMs,
    socketTimeout: silentMs,
    maxLoadingRetryTime: loadingRetryMs,
    retryStrategy,
    reconnectOnError: (error: Error) => {
      nameForbidden(error, userOf(config))
      return role.reconnects(error, kind === 'work')
    },
  }
  const redis = config.redisCluster ? openCluster(config, options, maxRedirections[kind]) : openOne(config, options)
  try {
    await connectOnce(redis, withinMs)
  } catch (error) {
    redis.on('error', () => {}) // the error below reports it
    redis.disconnect()
    throw await refusalOf(config, error)
  }
  connected = true
  await allowMissingInfo(redis)
  report(redis, safeUrl(config), role, telemetry)
  return redis
}

/**
 * Closes the connection and fails the commands that wait for it. Between two tries the next one is made the last: ioredis'
 * own disconnect() would leave the commands waiting forever.
 */
export function closeRedis(redis: RedisClient): void {
  closing.add(redis)
  Object.assign(redis.options, { retryStrategy: () => null, sentinelRetryStrategy: () => null })
  if (redis.status !== 'reconnecting' || isCluster(redis)) redis.disconnect()
  else redis.once('connect', () => redis.disconnect())
}

const closing = new WeakSet<RedisClient>()

/**
 * Opens a separate connection for commands that block, for `blockMs` at most. A command without an answer, as after a
 * reconnect or behind a dead network, is sent again on another connection.
 */
export function blockingConnection(redis: RedisClient, blockMs: number): RedisClient & Disposable {
  return duplicateOf(redis, { socketTimeout: blockMs + lateMs })
}

/** Opens a connection of the same patience at its first command. Its replies do not wait behind those of the other. */
export function secondConnection(redis: RedisClient): RedisClient & Disposable {
  return duplicateOf(redis, {})
}

function duplicateOf(redis: RedisClient, options: Pick<RedisOptions, 'socketTimeout'>): RedisClient & Disposable {
  const client: unknown = redis
  const other = isCluster(client)
    ? (client.duplicate([], { redisOptions: options }) as unknown as RedisClient)
    : redis.duplicate(options)
  other.on('error', () => {}) // the shared connection reports the same outage
  return Object.assign(other, { [Symbol.dispose]: () => closeRedis(other) })
}

/**
 * Closes the connection when the signal aborts. Commands in flight get `graceMs` to be answered, unless Redis is away.
 * Dispose it with the connection: until then the signal holds both.
 */
export function closeOnStop(redis: RedisClient, graceMs: number, signal: AbortSignal): Disposable {
  const stop = (): void => {
    if (redis.status === 'ready') setTimeout(() => closeRedis(redis), graceMs).unref()
    else closeRedis(redis)
  }
  signal.addEventListener('abort', stop, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', stop) }
}

/** Keeps BullMQ from reading the version of Redis where INFO is not allowed: it would end. `orders doctor` checks it. */
async function allowMissingInfo(redis: RedisClient): Promise<void> {
  try {
    // In a pipeline it waits for the next connection. Sent alone while one is set up that breaks, it fails.
    unwrapReplies(await redis.pipeline().info('server').exec())
  } catch (error) {
    if (!isForbidden(error)) return
    const client: unknown = redis
    Object.assign(isCluster(client) ? (client.options.redisOptions ?? {}) : redis.options, { skipVersionCheck: true })
  }
}

/** Returns the replies of a pipeline. @throws the first error among them. */
export function unwrapReplies(replies: readonly (readonly [Error | null, unknown])[] | null): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error) throw error
    return value
  })
}

/**
 * Reports when Redis goes away, and when it is back. After a reply that it is no master it is back when no other such reply
 * has come.
 */
function report(redis: RedisClient, address: string, role: Role, telemetry: Telemetry): void {
  const outages = outagesOf(telemetry)
  const gone = (error: string): void => {
    if (!closing.has(redis)) outages.gone(redis, address, error)
  }
  redis.on('error', (error: unknown) => gone(messageOf(error)))
  redis.on('close', () => gone('connection closed'))
  redis.on('end', () => outages.forget(redis))
  const back = (): void => {
    if (!outages.isAway(redis) || redis.status !== 'ready') return
    const doubt = doubtMs - role.sinceDoubtMs()
    if (doubt > 0) return void setTimeout(back, doubt).unref()
    outages.back(redis)
  }
  let readyAt = performance.now()
  role.onDoubt((message) => {
    gone(message)
    // Another connection may have noticed first: this one leads to the same server. A cluster's nodes redirect commands.
    if (!isCluster(redis) && redis.status === 'ready' && performance.now() - readyAt > doubtMs) redis.disconnect(true)
    else back()
  })
  redis.on('ready', () => {
    readyAt = performance.now()
    back()
  })
}
