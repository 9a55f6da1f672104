import { Cluster, type ClusterOptions, type Redis } from 'ioredis'
import type { Config } from '../config/config.ts'
import { OrdersError } from '../errors.ts'
import { clusterOptions } from './endpoint.ts'
import { passwordReader, type ReadPassword, readAtConnect } from './password-file.ts'
import { readyCheck } from './rights.ts'
import { type ConnectOptions, disconnectTimeoutMs } from './single.ts'

/** Servers that do not agree yet on the owner of a slot redirect back and forth. */
const retryDelayOnMovedMs = 20

export const isCluster = (client: unknown): client is Cluster => client instanceof Cluster

/** Returns the server, or every master of a cluster: some commands have to be sent to each. */
export function mastersOf(redis: Redis): Redis[] {
  const client: unknown = redis
  return isCluster(client) ? (client.nodes('master') as Redis[]) : [redis]
}

/** Returns the server that holds a key. @throws OrdersError ORD_REDIS_REPLY while no server has its slot */
export async function masterOf(redis: Redis, key: string): Promise<Redis> {
  const masters = mastersOf(redis)
  if (masters.length === 1) return masters[0] as Redis
  const held = await Promise.allSettled(masters.map((master) => master.exists(key))) // the others reply MOVED
  const master = masters.find((_, at) => held[at]?.status === 'fulfilled')
  if (master) return master
  throw new OrdersError('ORD_REDIS_REPLY', `No server of the cluster currently has the slot of ${key}: try again.`)
}

/** Opens a cluster. Any node that the configuration names leads to the others. */
export function openCluster(
  config: Config,
  { retryStrategy, ...options }: ConnectOptions,
  maxRedirections: number,
): Redis {
  const endpoint = clusterOptions(config)
  const redisOptions = { ...options, ...endpoint.options }
  const clusterRetryStrategy = (times: number): number | null => {
    const delayMs = retryStrategy(times)
    return delayMs === null ? null : Math.max(delayMs, nextTryMs)
  }
  const tried = { maxRedirections, retryDelayOnMoved: retryDelayOnMovedMs, clusterRetryStrategy }
  const named = redisOptions.tls ? { dnsLookup: keepName, slotsRefreshTimeout: tlsSlotsTimeoutMs } : {}
  const cluster = new Cluster(endpoint.nodes, { redisOptions, ...tried, ...named, lazyConnect: true })
  return patchCluster(cluster, passwordReader(config)) as unknown as Redis
}

/** Connects to a node by its name, for which its certificate is valid. ioredis would connect to its address. */
const keepName: NonNullable<ClusterOptions['dnsLookup']> = (name, use) => use(null, name, 0)

/** For the handshake and the answer of a node over TLS: two nodes within the 5 s of a first answer. ioredis has 1 s. */
const tlsSlotsTimeoutMs = 2_000

/** Connections of the last try end within this time. ioredis would count a later end for the next try, and give up. */
const nextTryMs = disconnectTimeoutMs + 50

/**
 * Replaces methods of ioredis' Cluster where an outage or a stop would leave it waiting forever:
 * - `disconnect` between two tries makes the next try the last, as `closeRedis` does for one Redis. Commands that are
 *   being redirected fail then, and do not wait for another try.
 * - `connect` schedules another try if one was closed during its name lookup; ioredis would not.
 * - `duplicate` returns a patched cluster, too: BullMQ makes and closes duplicates of its own.
 * - `sendCommand` starts the timeout of a command at once (see `limitWaiting`).
 * - A node that a redirection adds during a disconnect is closed as well: the cluster waits for all nodes to end.
 */
function patchCluster(cluster: Cluster, password: ReadPassword | undefined): Cluster {
  limitWaiting(cluster, cluster.options.redisOptions?.commandTimeout)
  cluster.on('error', () => {}) // Its user reports it. BullMQ stops listening when it closes one, and ioredis would print it.
  cluster.on('+node', (node: Redis) => {
    readAtConnect(node.options, password)
    Object.assign(node, { _readyCheck: readyCheck(node) })
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
    duplicate: (...given: Parameters<Cluster['duplicate']>) => patchCluster(duplicate(...given), password),
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

/** The status of a cluster between two tries. It closes once more for each node of the last try. */
const betweenTries = ['connecting', 'disconnecting', 'close', 'reconnecting']

/** Starts the timeout with the command. A node's own does not begin while no node is known to be up. */
function limitWaiting(cluster: Cluster, timeoutMs: number | undefined): void {
  if (timeoutMs === undefined) return
  const send = cluster.sendCommand.bind(cluster)
  cluster.sendCommand = (command, ...place) => {
    command.setTimeout(timeoutMs)
    return send(command, ...place)
  }
}
