import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import {
  blockingConnection,
  type Info,
  infoAt,
  infoOf,
  mastersOf,
  type RedisClient,
  valuesOf,
} from '../redis/client.ts'
import { unlessForbidden } from '../redis/rights.ts'
import { barrierTtlMs, proveWrite } from './barrier.ts'

/**
 * Names the history of Redis' data that a write went into: the process that took it and its replication id. Both are
 * new after a restart, the id after a failover: what was written in another history may be lost.
 */
export type History = string

export interface Durability extends Disposable {
  /** How long a write must be old before it can be confirmed. */
  readonly settleMs: number
  /** The history of a partition as last seen: what is written from now on goes into it, or cannot be confirmed. */
  history(keys: Keys): History
  /**
   * The history in which every write to a partition that was replied to before the call, and is `settleMs` old, is durable
   * now.
   * @throws when it is not durable yet: to be asked again
   */
  confirm(keys: Keys): Promise<History>
}

/** Makes sure of writes as SQS_DELETE_AFTER says; without it by Redis' append-only file, where there is one. */
export async function openDurability(app: App): Promise<Durability> {
  const { redis, partitions, config } = app
  const asked = Promise.all(partitions.map(({ barrier }) => infoAt(redis, barrier, 'persistence')))
  const files = await unlessForbidden(asked)
  if (!files) return withoutInfo(app)
  const kept = files.every((info) => info('aof_enabled') === '1')
  const wanted = config.sqsDeleteAfter ?? { kind: kept ? 'fsync' : 'write' }
  if (wanted.kind === 'write') return byReply
  if (wanted.kind === 'replicas') return byBarrier(app, { command: 'WAIT', wants: wanted.replicas })
  // With always, fsync comes before the reply; but for the minutes of a rewrite, if it is told to.
  const masters = mastersOf(redis)
  const settings = (name: string) => Promise.all(masters.map((master) => setting(master, name)))
  const rewriting = (await settings('no-appendfsync-on-rewrite')).includes('yes')
  if ((await settings('appendfsync')).every((when) => when === 'always') && !rewriting) return byReply
  const canWait = await Promise.all(masters.map((master) => canWaitForFile(master)))
  if (canWait.every((can) => can)) return byBarrier(app, { command: 'WAITAOF', wants: 1 })
  return byAge(app, rewriting)
}

/**
 * Where INFO is not allowed, WAIT and WAITAOF say as well what is safe; in place of the name of the server stands that of
 * our connection, which does not outlive the server.
 * @throws OrdersError ORD_CHECK where neither could say whether Redis has a message on its disk
 */
async function withoutInfo(app: App): Promise<Durability> {
  const wanted = app.config.sqsDeleteAfter
  if (wanted?.kind === 'write') return byReply
  if (wanted?.kind === 'replicas') return byBarrier(app, { command: 'WAIT', wants: wanted.replicas })
  const hasFile = await Promise.all(mastersOf(app.redis).map((master) => canWaitForFile(master, 1)))
  if (hasFile.every((has) => has)) return byBarrier(app, { command: 'WAITAOF', wants: 1 })
  if (wanted) {
    const why =
      "orders may use neither INFO nor WAITAOF, or Redis keeps no append-only file: it cannot tell what is on Redis' disk"
    throw new OrdersError('ORD_CHECK', `SQS_DELETE_AFTER=fsync: ${why}. Allow INFO, or set SQS_DELETE_AFTER=write.`)
  }
  const found = 'cannot be read: a message is deleted from SQS when Redis has replied to the write'
  const advice = 'Allow INFO to have it wait for the append-only file, or set SQS_DELETE_AFTER=write.'
  app.telemetry.emit('checkWarned', { check: 'durability', found, advice })
  return byReply
}

/** Undefined where CONFIG is forbidden, as on managed services: what is usual is taken to be so. */
async function setting(redis: RedisClient, name: string): Promise<string | undefined> {
  const [, value] = (await redis.config('GET', name).catch(() => [])) as string[]
  return value
}

/**
 * Redis before 7.2 has no WAITAOF, and a user may not be allowed to use it.
 * @param files 1 to be refused where Redis keeps no file
 */
async function canWaitForFile(redis: RedisClient, files = 0): Promise<boolean> {
  return redis.call('WAITAOF', files, 0, 1).then(
    () => true,
    () => false,
  )
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
/** A write on a connection of its own comes after those to confirm, so what has it has them; only that connection waits. */
async function byBarrier(app: App, { command, wants }: Barrier): Promise<Durability> {
  const { redis } = app
  const waiting = blockingConnection(redis, barrierMs)
  const histories = await openHistories(app, waiting)
  const confirm = async (keys: Keys): Promise<History> => {
    const history = await histories.read(keys)
    // Renewed, not set: that is a write too, and one that a full Redis takes.
    const renewed = await waiting.pexpire(keys.barrier, barrierTtlMs)
    if (renewed === 0) await proveWrite(waiting, keys, app.instance)
    const args = command === 'WAITAOF' ? [1, 0] : [wants]
    const asked = waiting
      .pipeline()
      .exists(keys.barrier)
      .call(command, ...args, barrierMs)
    if (histories.byServer) asked.info('server').info('replication')
    const [, reached, ...info] = valuesOf(await asked.exec())
    const have = Number(Array.isArray(reached) ? reached[0] : reached)
    if (have < wants) throw notDurable(command === 'WAITAOF' ? 'not on its disk' : `on ${have} of ${wants} replicas`)
    const now = histories.byServer ? nameOf(infoOf(info)) : histories.byConnection()
    if (now !== history) throw notDurable('another server answers')
    return history
  }
  return { settleMs: 0, history: histories.known, confirm, [Symbol.dispose]: () => waiting[Symbol.dispose]() }
}

/**
 * Redis before 7.2 does not say when it has synced its file. With `everysec` it does a second after the write, and puts
 * off a write for two at most while the disk is slow; then it says that an fsync is in progress.
 */
const everysecMs = 2_000

/** @param rewriting whether nothing is synced while a child of Redis writes a file */
async function byAge(app: App, rewriting: boolean): Promise<Durability> {
  const { redis } = app
  const children = rewriting ? ['aof_rewrite_in_progress', 'rdb_bgsave_in_progress'] : []
  const histories = await openHistories(app)
  const confirm = async (keys: Keys): Promise<History> => {
    const history = await histories.read(keys)
    const info = await infoAt(redis, keys.barrier, 'persistence', 'server', 'replication')
    const idle = ['aof_pending_bio_fsync', ...children].every((name) => info(name) === '0')
    if (info('aof_enabled') !== '1') throw notDurable('its append-only file is off')
    if (info('aof_last_write_status') !== 'ok' || !idle) throw notDurable('not on its disk')
    // Asked last: had it been started again before it told of its file, it would have another name.
    if (nameOf(info) !== history) throw notDurable('another server answers')
    return history
  }
  return { settleMs: everysecMs, history: histories.known, confirm, [Symbol.dispose]: () => {} }
}

function notDurable(why: string): OrdersError {
  const told = `Redis' last writes are not safe yet (${why})`
  return new OrdersError('ORD_NOT_DURABLE', `${told}: messages stay in SQS until they are.`)
}

/** The histories of all partitions, as last seen. */
async function openHistories({ redis, partitions }: App, waiting?: RedisClient) {
  const seen = new Map<Keys, History>()
  let connections = 0
  for (const client of [redis, ...(waiting ? [waiting] : [])]) {
    for (const event of ['close', '-node']) client.on(event, () => connections++) // of a cluster each node
  }
  const byConnection = (): History => `connection ${connections}`
  const byServer = (await unlessForbidden(redis.pipeline().info('server').exec().then(valuesOf))) !== undefined
  const read = async (keys: Keys): Promise<History> => {
    const history = byServer ? nameOf(await infoAt(redis, keys.barrier, 'server', 'replication')) : byConnection()
    seen.set(keys, history)
    return history
  }
  await Promise.all(partitions.map(read))
  const known = (keys: Keys): History => (byServer ? (seen.get(keys) ?? '') : byConnection())
  return { read, known, byServer, byConnection }
}

function nameOf(info: Info): History {
  return `${info('run_id')} ${info('master_replid')}`
}
