import { Redis, type RedisOptions } from 'ioredis'
import type { Config } from '../config/config.ts'
import { redisOptions } from './endpoint.ts'
import { passwordReader, type ReadPassword, readAtConnect } from './password-file.ts'
import { readyCheck } from './rights.ts'

/** A server that has stopped answering delays a stop no longer than this. */
export const disconnectTimeoutMs = 300

/** The options of a connection, alone or to a node of a cluster. */
export type ConnectOptions = Pick<
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

/** Opens one Redis, directly or by its sentinels. */
export function openOne(config: Config, options: ConnectOptions): Redis {
  const location = { ...redisOptions(config), sentinelRetryStrategy: options.retryStrategy }
  return patchSingle(new Redis({ ...options, ...location, lazyConnect: true }), passwordReader(config))
}

/**
 * Replaces a connection, or that of a duplicate, that could not choose its database: ioredis would use database 0. A
 * connection that has ended also leaves the sentinels, to which it listens for failovers.
 */
function patchSingle(redis: Redis, password: ReadPassword | undefined): Redis {
  readAtConnect(redis.options, password)
  const duplicate = redis.duplicate.bind(redis)
  redis.on('error', (error: { command?: { name: string } }) => {
    if (error.command?.name === 'select') redis.disconnect(true)
  })
  Object.assign(redis, { _readyCheck: readyCheck(redis) })
  keepConnecting(redis)
  for (const over of ['close', 'end']) redis.on(over, () => failForgotten(redis)) // not every end is a close
  redis.on('end', () => {
    if (redis.status === 'end' && redis.options.sentinels) redis.disconnect(true)
  })
  return Object.assign(redis, {
    duplicate: (options?: Partial<RedisOptions>) => patchSingle(duplicate(options), password),
  })
}

/** How ioredis makes a connection. */
interface Connector {
  stream?: { destroyed: boolean }
  disconnect(): void
}

/**
 * Keeps a connection that is being made alive where it should be replaced, as when the sentinels announce a failover while
 * they are asked for the master: ioredis would end it, and never connect again. One that ends is not ended again by each
 * reply that asks for another: every call would add a listener to its socket.
 */
function keepConnecting(redis: Redis): void {
  const { connector } = redis as unknown as { connector: Connector }
  const disconnect = connector.disconnect.bind(connector)
  let ending: Connector['stream']
  connector.disconnect = () => {
    const { status, manuallyClosing } = redis as unknown as { status: string; manuallyClosing: boolean }
    const { stream } = connector
    const asking = status === 'connecting' && stream?.destroyed !== false
    const ends = stream !== undefined && stream === ending
    if ((asking || ends) && !manuallyClosing) return
    ending = stream
    disconnect()
  }
}

/** Commands that ioredis has sent and not yet settled. */
interface CommandQueue {
  shift(): { command: { reject(error: Error): void } } | undefined
}

/**
 * Fails the commands that ioredis forgets when a connection breaks: INFO and others sent while it was set up, and every
 * command if no connection follows. ioredis itself sends the rest again on the next connection.
 */
function failForgotten(redis: Redis): void {
  const queues = redis as unknown as { commandQueue: CommandQueue; prevCommandQueue?: CommandQueue | null }
  const again = redis.status === 'end' ? undefined : queues.prevCommandQueue
  for (const queue of [queues.commandQueue, queues.prevCommandQueue]) {
    if (!queue || queue === again) continue
    for (let item = queue.shift(); item; item = queue.shift()) item.command.reject(new Error('Connection is closed.'))
  }
}
