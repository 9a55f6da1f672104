import { Redis, type RedisOptions } from 'ioredis'
import type { Config } from './config.ts'
import { messageOf, OrdersError } from './errors.ts'
import type { Telemetry } from './telemetry.ts'

export type RedisClient = Redis

/**
 * `work` waits for Redis to come back, however long: an unanswered commit may be sent again, it counts once.
 * `ask` fails within a second or two instead: somebody waits for the answer.
 */
export type Patience = 'work' | 'ask'

const patience = {
  work: { maxRetriesPerRequest: null },
  ask: { maxRetriesPerRequest: 1, commandTimeout: 2_000 },
} as const satisfies { readonly [P in Patience]: RedisOptions }

/** At most half a second between tries: a restarted Redis is found again at once, an absent one is not flooded. */
const retryStrategy = (times: number): number => Math.min(2 ** times * 10, 500)

/** Long enough for a slow network, short enough for a person waiting for the first line. */
const connectTimeout = 5_000 // ms

/** @throws OrdersError ORD_REDIS_UNREACHABLE when there is no Redis to begin with. */
export async function openRedis(config: Config, kind: Patience, telemetry: Telemetry): Promise<RedisClient> {
  const redis = new Redis(redisUrl(config), {
    ...patience[kind],
    lazyConnect: true,
    connectTimeout,
    retryStrategy: null,
  })
  try {
    await connectOnce(redis)
  } catch (error) {
    redis.disconnect()
    const where = safeUrl(config)
    throw new OrdersError(
      'ORD_REDIS_UNREACHABLE',
      `Redis does not answer at ${where} (${messageOf(error)}): start it or set REDIS_URL.`,
      { cause: error },
    )
  }
  redis.options.retryStrategy = retryStrategy
  report(redis, telemetry)
  return redis
}

/** A connection of its own for blocking reads: a blocked connection answers nothing else. */
export function blockingConnection(redis: RedisClient): RedisClient & AsyncDisposable {
  const reader = redis.duplicate()
  reader.on('error', () => {}) // the shared connection reports the same outage
  return Object.assign(reader, {
    [Symbol.asyncDispose]: async () => reader.disconnect(),
  })
}

/** Where Redis is, without its password. */
export function safeUrl(config: Config): string {
  return redisUrl(config).replace(/\/\/[^@/]*@/, '//***@')
}

function redisUrl({ redisUrl, redisHost, redisPort }: Config): string {
  return redisUrl ?? `redis://${redisHost ?? 'localhost'}:${redisPort ?? 6379}`
}

/** ioredis rejects connect() with "Connection is closed."; the reason is in its error event. */
async function connectOnce(redis: Redis): Promise<void> {
  let reason: unknown
  const remember = (error: unknown): void => {
    reason = error
  }
  redis.on('error', remember)
  try {
    await redis.connect()
    await redis.ping()
  } catch (error) {
    throw reason ?? error
  } finally {
    redis.off('error', remember)
  }
}

/** One line when Redis goes, one when it is back. */
function report(redis: RedisClient, telemetry: Telemetry): void {
  let away = false
  redis.on('error', (error: unknown) => {
    if (!away) telemetry.emit('redisAway', { error: messageOf(error) })
    away = true
  })
  redis.on('close', () => {
    if (!away) telemetry.emit('redisAway', { error: 'connection closed' })
    away = true
  })
  redis.on('ready', () => {
    if (away) telemetry.emit('redisBack', {})
    away = false
  })
}
