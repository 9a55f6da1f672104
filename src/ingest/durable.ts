import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import { blockingConnection, type RedisClient } from '../redis.ts'

/**
 * Names the history of Redis' data that a write went into: the process that took it and its replication id. Both are
 * new after a restart, the id after a failover: what was written in another history may be lost.
 */
export type History = string

export interface Durability extends Disposable {
  /** How long a write must be old before it can be confirmed. */
  readonly settleMs: number
  /** The history as last seen: what is written from now on goes into it, or cannot be confirmed. */
  history(): History
  /**
   * The history in which every write that was replied to before the call, and is `settleMs` old, is durable now.
   * @throws when it is not durable yet: to be asked again
   */
  confirm(): Promise<History>
}

/** Makes sure of writes as SQS_DELETE_AFTER says; without it by Redis' append-only file, where there is one. */
export async function openDurability(app: App): Promise<Durability> {
  const wanted = app.config.sqsDeleteAfter ?? { kind: (await keepsFile(app.redis)) ? 'fsync' : 'write' }
  if (wanted.kind === 'write') return byReply
  if (wanted.kind === 'replicas') return byBarrier(app, { command: 'WAIT', wants: wanted.replicas })
  const policy = await fsyncPolicy(app.redis)
  if (policy === 'always') return byReply // fsync comes before the reply
  const [known] = (await app.redis.call('COMMAND', 'INFO', 'WAITAOF')) as unknown[]
  return known ? byBarrier(app, { command: 'WAITAOF', wants: 1 }) : byAge(app)
}

async function keepsFile(redis: RedisClient): Promise<boolean> {
  return field(await redis.info('persistence'), 'aof_enabled') === '1'
}

/** Where CONFIG is forbidden, as on managed services, what is usual is taken to be so. */
async function fsyncPolicy(redis: RedisClient): Promise<string> {
  const [, policy = 'everysec'] = (await redis.config('GET', 'appendfsync').catch(() => [])) as string[]
  return policy
}

const byReply: Durability = {
  settleMs: 0,
  history: () => '',
  confirm: async () => '',
  [Symbol.dispose]: () => {},
}

interface Barrier {
  readonly command: 'WAIT' | 'WAITAOF'
  /** Replicas that must have it, or 1 for the file of the server itself. */
  readonly wants: number
}

/** Long enough for an fsync every second; the next try follows. */
const barrierMs = 1_500
/** The barrier's key says nothing to anybody. */
const barrierTtlMs = 60_000

/** A write on a connection of its own comes after those to confirm, so what has it has them; only that connection waits. */
async function byBarrier(app: App, { command, wants }: Barrier): Promise<Durability> {
  const { redis, keys } = app
  const waiting = blockingConnection(redis, barrierMs)
  let history = await historyOf(redis, keys.barrier)
  const confirm = async (): Promise<History> => {
    history = await historyOf(redis, keys.barrier)
    const args = command === 'WAITAOF' ? [1, 0] : [wants]
    const barrier = waiting.pipeline().set(keys.barrier, app.instance, 'PX', barrierTtlMs)
    const replies = await barrier
      .call(command, ...args, barrierMs)
      .info('server')
      .info('replication')
      .exec()
    const [, reached, server, replication] = valuesOf(replies)
    const have = Number(Array.isArray(reached) ? reached[0] : reached)
    if (have < wants) throw notDurable(command === 'WAITAOF' ? 'its file' : `${have} of ${wants} replicas`)
    if (nameOf(server, replication) !== history) throw notDurable('another server')
    return history
  }
  return { settleMs: 0, history: () => history, confirm, [Symbol.dispose]: () => waiting[Symbol.dispose]() }
}

/**
 * Redis before 7.2 does not say when it has synced its file. With `everysec` it does a second after the write, and puts
 * off a write for two at most while the disk is slow; then it says that an fsync is in progress.
 */
const everysecMs = 2_000

async function byAge({ redis, keys }: App): Promise<Durability> {
  let history = await historyOf(redis, keys.barrier)
  const confirm = async (): Promise<History> => {
    history = await historyOf(redis, keys.barrier)
    const persistence = await redis.info('persistence')
    const is = (name: string, value: string): boolean => field(persistence, name) === value
    const synced = is('aof_enabled', '1') && is('aof_last_write_status', 'ok') && is('aof_pending_bio_fsync', '0')
    if (!synced) throw notDurable('its append-only file')
    return history
  }
  return { settleMs: everysecMs, history: () => history, confirm, [Symbol.dispose]: () => {} }
}

function notDurable(where: string): OrdersError {
  const told = `Redis' last writes are not safe yet (${where})`
  return new OrdersError('ORD_NOT_DURABLE', `${told}: messages stay in SQS until they are.`)
}

/** With the key, so that a cluster asks the node that the writes go to. */
async function historyOf(redis: RedisClient, key: string): Promise<History> {
  const replies = await redis.pipeline().exists(key).info('server').info('replication').exec()
  const [, server, replication] = valuesOf(replies)
  return nameOf(server, replication)
}

function nameOf(server: unknown, replication: unknown): History {
  return `${field(String(server), 'run_id')} ${field(String(replication), 'master_replid')}`
}

function valuesOf(replies: readonly (readonly [Error | null, unknown])[] | null): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error) throw error
    return value
  })
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
}
