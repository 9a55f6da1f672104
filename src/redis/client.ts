import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Config } from '../config.ts'
import { messageOf, OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { Telemetry } from '../telemetry.ts'
import { clusterOptions, redisOptions, userOf } from './endpoint.ts'
import { refusalOf } from './refusal.ts'
import { isForbidden, nameForbidden, readyCheck, unlessForbidden } from './rights.ts'
import { doubtMs, openRole, type Role, retryDelayMs } from './role.ts'

/** One Redis or a Redis Cluster. Both have the same commands; ioredis types them apart. */
export type RedisClient = Redis

/**
 * `work` waits for Redis to come back, however long: an unanswered commit may be sent again, it counts once.
 * `ask` fails within two seconds instead: somebody waits for the answer.
 */
export type Patience = 'work' | 'ask'

const patience = {
  work: { maxRetriesPerRequest: null },
  ask: { maxRetriesPerRequest: 1, commandTimeout: 2_000 },
} as const satisfies { readonly [P in Patience]: RedisOptions }

/** The same on a cluster, where a command is tried elsewhere: of the 16 times that are usual most come after 100 ms. */
const mostRedirections = { work: Number.POSITIVE_INFINITY, ask: 16 } as const satisfies Record<Patience, number>
/** While servers do not agree yet who has a slot, they send us to and fro. */
const retryDelayOnMovedMs = 20

/**
 * A connection on which an answer is due and nothing at all has come for so long is taken for dead, and replaced: it may
 * be open on our side alone. Above the ten seconds for which BullMQ's workers block.
 */
const silentMs = 15_000
/** The same for our own blocking reads, on top of how long they block. */
const lateMs = 4_000

/** Long enough for a slow network. */
const connectTimeoutMs = 5_000
/** A Redis that loads its data is asked again so soon whether it has. */
const loadingRetryMs = 500

/** How long a server that has stopped answering may hold up a stop. */
const disconnectTimeoutMs = 300

/**
 * Close it with `closeRedis`.
 * @param withinMs how long it may take until it answers
 * @throws OrdersError ORD_REDIS_UNREACHABLE when there is no Redis to begin with, ORD_REDIS_REFUSED when it does not take
 * us as we are configured.
 */
export async function openRedis(
  config: Config,
  kind: Patience,
  telemetry: Telemetry,
  withinMs = connectTimeoutMs,
): Promise<RedisClient> {
  // The first connection is tried once: whoever starts a process wants to be told.
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
  const redis = config.redisCluster ? openCluster(config, options, mostRedirections[kind]) : openOne(config, options)
  try {
    await connectOnce(redis, withinMs)
  } catch (error) {
    redis.on('error', () => {}) // it is said already
    redis.disconnect()
    throw await refusalOf(config, error)
  }
  connected = true
  await goWithoutInfo(redis)
  report(redis, role, telemetry)
  return redis
}

/**
 * Closes the connection and fails the commands that wait for it. Between two tries ioredis' own disconnect() would leave
 * them waiting for ever; there the next try is made the last.
 */
export function closeRedis(redis: RedisClient): void {
  closing.add(redis)
  Object.assign(redis.options, { retryStrategy: () => null, sentinelRetryStrategy: () => null })
  if (redis.status !== 'reconnecting' || isCluster(redis)) redis.disconnect()
  else redis.once('connect', () => redis.disconnect())
}

const isCluster = (client: unknown): client is Cluster => client instanceof Cluster

const closing = new WeakSet<RedisClient>()

/**
 * A connection of its own for commands that block, for `blockMs` at most: meanwhile it answers nothing else. A command
 * that is not answered, as after a reconnect or behind a dead network, is sent again on another connection.
 */
export function blockingConnection(redis: RedisClient, blockMs: number): RedisClient & Disposable {
  return duplicateOf(redis, { socketTimeout: blockMs + lateMs })
}

/** Opens, at its first command, a connection as patient as this one whose replies do not wait behind those of this one. */
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
 * On a stop, commands in hand get `graceMs` to be answered; with Redis away there is nothing to wait for.
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

/** The server, or of a cluster every master: for what each has to be asked. */
export function mastersOf(redis: RedisClient): RedisClient[] {
  const client: unknown = redis
  return isCluster(client) ? (client.nodes('master') as RedisClient[]) : [redis]
}

/** The server that holds a key. */
export async function masterOf(redis: RedisClient, key: string): Promise<RedisClient> {
  const masters = mastersOf(redis)
  if (masters.length === 1) return masters[0] as RedisClient
  const held = await Promise.allSettled(masters.map((master) => master.exists(key))) // else it says MOVED
  const master = masters.find((_, at) => held[at]?.status === 'fulfilled')
  if (master) return master
  throw new OrdersError('ORD_REDIS_REPLY', `No server of the cluster has the slot of ${key} just now: try again.`)
}

/** A field of INFO. */
export type Info = (field: string) => string | undefined

/**
 * What the server tells of itself that holds the key. On a cluster a command without a key goes to any server, and a
 * pipeline does not follow a slot that has moved: a single command goes first.
 */
export async function infoAt(redis: RedisClient, key: string, ...sections: readonly string[]): Promise<Info> {
  await redis.exists(key)
  const asked = redis.pipeline().exists(key)
  for (const section of sections) asked.info(section)
  return infoOf(valuesOf(await asked.exec()).slice(1))
}

/** BullMQ asks INFO for the version of Redis and ends where that is not allowed; it is good enough as `orders doctor` says. */
async function goWithoutInfo(redis: RedisClient): Promise<void> {
  try {
    // In a pipeline it waits for the next connection. Sent alone while one is set up that breaks, it fails.
    valuesOf(await redis.pipeline().info('server').exec())
  } catch (error) {
    if (!isForbidden(error)) return
    const client: unknown = redis
    Object.assign(isCluster(client) ? (client.options.redisOptions ?? {}) : redis.options, { skipVersionCheck: true })
  }
}

/**
 * What a server uses of its `maxmemory`, in bytes; 0 is no limit. Of the servers that hold partitions it is the fullest.
 * Undefined where INFO is not allowed.
 */
export async function fullestOf(
  redis: RedisClient,
  partitions: readonly Keys[],
): Promise<{ used: number; most: number } | undefined> {
  const asked = Promise.all(partitions.map(({ counters }) => infoAt(redis, counters, 'memory')))
  const infos = await unlessForbidden(asked)
  if (!infos) return undefined
  const all = infos.map((info) => ({ used: Number(info('used_memory') ?? 0), most: Number(info('maxmemory') ?? 0) }))
  const share = ({ used, most }: { used: number; most: number }): number => (most === 0 ? 0 : used / most)
  return all.reduce((one, other) => (share(other) > share(one) ? other : one))
}

export function infoOf(texts: readonly unknown[]): Info {
  const text = texts.join('\n')
  return (field) => new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(text)?.[1]
}

/** The replies of a pipeline. @throws the first error among them. */
export function valuesOf(replies: readonly (readonly [Error | null, unknown])[] | null): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error) throw error
    return value
  })
}

type ConnectOptions = Pick<
  RedisOptions,
  | 'connectTimeout'
  | 'maxRetriesPerRequest'
  | 'commandTimeout'
  | 'socketTimeout'
  | 'maxLoadingRetryTime'
  | 'reconnectOnError'
> & {
  retryStrategy(times: number): number | null
}

function openOne(config: Config, options: ConnectOptions): RedisClient {
  const whereabouts = { ...redisOptions(config), sentinelRetryStrategy: options.retryStrategy }
  return kept(new Redis({ ...options, ...whereabouts, lazyConnect: true }))
}

/**
 * ioredis would go on in database 0 where it cannot choose the one it was given: such a connection is replaced before it is
 * used, that of duplicates too. One that has ended leaves the sentinels, which it listens to for failovers.
 */
function kept(redis: Redis): Redis {
  const duplicate = redis.duplicate.bind(redis)
  redis.on('error', (error: { command?: { name: string } }) => {
    if (error.command?.name === 'select') redis.disconnect(true)
  })
  Object.assign(redis, { _readyCheck: readyCheck(redis) })
  for (const over of ['close', 'end']) redis.on(over, () => failForgotten(redis)) // not every end is a close
  redis.on('end', () => {
    if (redis.status === 'end' && redis.options.sentinels) redis.disconnect(true)
  })
  return Object.assign(redis, { duplicate: (options?: Partial<RedisOptions>) => kept(duplicate(options)) })
}

interface Waiting {
  shift(): { command: { reject(error: Error): void } } | undefined
}

/**
 * What was sent on a connection that broke is sent again on the next one, if it was in use. ioredis forgets the rest: INFO
 * and the like, sent while it was being set up, and everything where no next one comes.
 */
function failForgotten(redis: Redis): void {
  const queues = redis as unknown as { commandQueue: Waiting; prevCommandQueue?: Waiting | null }
  const again = redis.status === 'end' ? undefined : queues.prevCommandQueue
  for (const queue of [queues.commandQueue, queues.prevCommandQueue]) {
    if (!queue || queue === again) continue
    for (let item = queue.shift(); item; item = queue.shift()) item.command.reject(new Error('Connection is closed.'))
  }
}

/** Any node named leads to the others. */
function openCluster(
  config: Config,
  { retryStrategy, ...options }: ConnectOptions,
  maxRedirections: number,
): RedisClient {
  const endpoint = clusterOptions(config)
  const redisOptions = { ...options, ...endpoint.options }
  const clusterRetryStrategy = (times: number): number | null => {
    const delayMs = retryStrategy(times)
    return delayMs === null ? null : Math.max(delayMs, nextTryMs)
  }
  const tried = { maxRedirections, retryDelayOnMoved: retryDelayOnMovedMs, clusterRetryStrategy }
  const cluster = new Cluster(endpoint.nodes, { redisOptions, ...tried, lazyConnect: true })
  return mended(cluster) as unknown as RedisClient
}

/** A connection of the last try ends by then: ioredis would take a later end for one of the next try's, and give up. */
const nextTryMs = disconnectTimeoutMs + 50

/**
 * As `closeRedis` does for one Redis, its disconnect() makes the next try the last, and that of its duplicates too: BullMQ
 * makes and closes some of its own. What is being redirected when it ends fails then, and does not wait for another try.
 * A node that a redirection adds while the others are being closed is closed as well: the cluster waits for all to end.
 * Where a try is closed while it looks up names, ioredis would not try again.
 */
function mended(cluster: Cluster): Cluster {
  limitWaiting(cluster, cluster.options.redisOptions?.commandTimeout)
  cluster.on('+node', (node: Redis) => {
    if (cluster.status === 'disconnecting') node.disconnect()
  })
  const { connect, disconnect, duplicate, handleCloseEvent } = boundTo(cluster)
  return Object.assign(cluster, {
    connect: async (): Promise<void> => {
      try {
        await connect()
      } catch (error) {
        if (cluster.status === 'close') handleCloseEvent(error)
        throw error
      }
    },
    duplicate: (...given: Parameters<Cluster['duplicate']>) => mended(duplicate(...given)),
    disconnect: (reconnect = false): void => {
      if (!reconnect) Object.assign(cluster.options, { clusterRetryStrategy: () => null, enableOfflineQueue: false })
      if (reconnect) disconnect(true)
      else if (betweenTries.includes(cluster.status)) cluster.once('connect', () => disconnect())
      else disconnect()
    },
  })
}

function boundTo(cluster: Cluster) {
  return {
    connect: cluster.connect.bind(cluster),
    disconnect: cluster.disconnect.bind(cluster),
    duplicate: cluster.duplicate.bind(cluster),
    handleCloseEvent: (cluster as unknown as { handleCloseEvent(reason: unknown): void }).handleCloseEvent.bind(
      cluster,
    ),
  }
}

/** What a cluster says of itself then: it is closed once more for each node of the last try. */
const betweenTries = ['connecting', 'disconnecting', 'close', 'reconnecting']

/** The timeout of a node's connection does not begin while no node is known to be up. */
function limitWaiting(cluster: Cluster, timeoutMs: number | undefined): void {
  if (timeoutMs === undefined) return
  const send = cluster.sendCommand.bind(cluster)
  cluster.sendCommand = (command, ...place) => {
    command.setTimeout(timeoutMs)
    return send(command, ...place)
  }
}

/** ioredis rejects connect() with "Connection is closed.", or not at all; the reason is in its error event. */
async function connectOnce(redis: RedisClient, withinMs: number): Promise<void> {
  let reason: unknown
  const remember = (error: unknown): void => {
    reason = error
  }
  redis.on('error', remember)
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => {})
  const giveUp = (): void => ended.reject(new Error('no answer'))
  redis.once('end', giveUp)
  const late = setTimeout(async () => ended.reject(await whileSilent(redis)), withinMs)
  try {
    // TIME, not PING: a Redis that cannot save refuses that.
    await Promise.race([redis.connect().then(() => redis.time()), ended.promise])
  } catch (error) {
    throw reason ?? error
  } finally {
    clearTimeout(late)
    redis.off('error', remember)
    redis.off('end', giveUp)
  }
}

/** While it loads its data, a server answers INFO and little else. */
async function whileSilent(redis: RedisClient): Promise<Error> {
  const asked = redis.status === 'connect' ? redis.info('persistence').catch(() => '') : ''
  const info = await Promise.race([asked, sleep(whileSilentMs, '')])
  return new Error(/^loading:1/m.test(info) ? 'LOADING' : 'no answer')
}

const whileSilentMs = 200

/** One line when Redis goes, one when it is back. After a replica's reply it is back when no other such reply has come. */
function report(redis: RedisClient, role: Role, telemetry: Telemetry): void {
  let away = false
  const gone = (error: string): void => {
    if (!away && !closing.has(redis)) telemetry.emit('redisAway', { error })
    away = true
  }
  redis.on('error', (error: unknown) => gone(messageOf(error)))
  redis.on('close', () => gone('connection closed'))
  const back = (): void => {
    if (!away || redis.status !== 'ready') return
    const doubt = doubtMs - role.sinceDoubtMs()
    if (doubt > 0) return void setTimeout(back, doubt).unref()
    telemetry.emit('redisBack', {})
    away = false
  }
  let readyAt = performance.now()
  role.onDoubt((message) => {
    gone(message)
    // A reader of its own connection has noticed first: this one leads to the same server. A cluster's nodes redirect us.
    if (!isCluster(redis) && redis.status === 'ready' && performance.now() - readyAt > doubtMs) redis.disconnect(true)
    else back()
  })
  redis.on('ready', () => {
    readyAt = performance.now()
    back()
  })
}
