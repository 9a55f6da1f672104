import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { RedisOptions } from 'ioredis'
import type { Config } from '../config/config.ts'
import { type RedisAddress, type RedisPlace, readRedisUrl, splitUrls } from '../config/redis-url.ts'
import { messageOf, OrdersError } from '../errors.ts'

/** Returns whether a Redis is configured. If none is, `orders start` starts its own. */
export const namesRedis = ({ redisUrl, redisHost, redisPort, redisSentinels }: Config): boolean =>
  (redisUrl ?? redisHost ?? redisPort ?? redisSentinels) !== undefined

/** Returns the address of Redis without user and password. */
export function safeUrl(config: Config): string {
  const sentinels = config.redisSentinels?.map(({ host, port }) => `${host}:${port}`)
  if (sentinels) return `${config.redisSentinelName} of the sentinels ${sentinels.join(',')}`
  return placesOf(config).map(safe).join(',')
}

function safe({ address, tls, username, password, database }: RedisPlace): string {
  const hidden = username === undefined && password === undefined ? '' : '***@'
  if ('path' in address) return `unix://${hidden}${address.path}${database > 0 ? `?db=${database}` : ''}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${tls ? 'rediss' : 'redis'}://${hidden}${host}:${address.port}${database > 0 ? `/${database}` : ''}`
}

/** Returns the first host of the configuration; undefined for a socket. */
export function hostOf(config: Config): string | undefined {
  const address = config.redisSentinels?.[0] ?? firstPlace(config).address
  return 'host' in address ? address.host : undefined
}

type Access = Pick<RedisOptions, 'username' | 'password' | 'tls'>
type Whereabouts = Omit<RedisOptions, 'retryStrategy' | 'maxRetriesPerRequest' | 'replyMapping' | 'himportFieldsets'>

/** Returns the user of the connection to Redis. */
export const userOf = (config: Config): string => firstPlace(config).username ?? 'default'

/** Returns the options of every connection to Redis and its duplicates. */
export function redisOptions(config: Config): Whereabouts {
  const place = firstPlace(config)
  const tls = tlsOf(config, place)
  const access = { ...accessOf(place), db: place.database, ...(tls && { tls }) }
  if (!config.redisSentinels) return { ...place.address, ...access }
  return {
    ...access,
    sentinels: [...config.redisSentinels],
    name: config.redisSentinelName,
    sentinelUsername: config.redisSentinelUsername,
    sentinelPassword: config.redisSentinelPassword,
    sentinelCommandTimeout: sentinelTimeoutMs,
    sentinelReconnectStrategy: () => sentinelRetryMs,
    failoverDetector: true, // a planned failover leaves the old master up, and our connections to it open
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  }
}

/** A sentinel that does not answer in time is skipped. */
const sentinelTimeoutMs = 1_000
/** Ms until the subscription to a sentinel's failovers is opened again after it is lost. */
const sentinelRetryMs = 5_000

/** Returns the configured nodes of a cluster, and the options for every node: user, password and TLS of the first. */
export function clusterOptions(config: Config): { nodes: { host: string; port: number }[]; options: Access } {
  const nodes = placesOf(config).flatMap(({ address }) => ('host' in address ? [address] : []))
  const place = firstPlace(config)
  const tls = tlsOf(config, place)
  return { nodes, options: { ...accessOf(place), ...(tls && { tls }) } }
}

/** Returns the address that is connected first: of Redis, or of a sentinel. */
export function firstAddress(config: Config): { address: RedisAddress; tls: ConnectionOptions | undefined } {
  const place = firstPlace(config)
  return { address: config.redisSentinels?.[0] ?? place.address, tls: tlsOf(config, place) }
}

function accessOf({ username, password }: RedisPlace): Access {
  return username === undefined ? { password } : { username, password: password ?? '' }
}

function placesOf({ redisUrl, redisHost = 'localhost', redisPort = 6379 }: Config): RedisPlace[] {
  if (redisUrl !== undefined)
    return splitUrls(redisUrl)
      .map(readRedisUrl)
      .filter((place) => typeof place !== 'string')
  const address = { host: redisHost.replace(/^\[(.*)\]$/, '$1'), port: redisPort }
  return [{ address, tls: false, username: undefined, password: undefined, database: 0 }]
}

function firstPlace(config: Config): RedisPlace {
  const [place] = placesOf(config)
  if (place) return place
  throw new OrdersError('ORD_CONFIG', 'REDIS_URL cannot be read: see orders doctor.') // readConfig rejects it earlier
}

/** @throws OrdersError ORD_CONFIG if REDIS_CA_FILE holds no certificate */
function tlsOf({ redisCaFile }: Config, { tls }: RedisPlace): ConnectionOptions | undefined {
  if (!tls) return undefined
  if (redisCaFile === undefined) return {}
  const given = `REDIS_CA_FILE is ${JSON.stringify(redisCaFile)}`
  let ca: string
  try {
    ca = readFileSync(redisCaFile, 'utf8')
  } catch (error) {
    const message = `${given} and cannot be read (${messageOf(error)}): name the PEM file of the CA.`
    throw new OrdersError('ORD_CONFIG', message, { cause: error })
  }
  if (ca.includes('-----BEGIN CERTIFICATE-----')) return { ca }
  throw new OrdersError('ORD_CONFIG', `${given} and holds no certificate: name the PEM file of the CA.`)
}
