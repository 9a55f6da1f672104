import type { App } from '../app.ts'
import { messageOf, OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { blockingConnection, type RedisClient, unwrapReplies } from '../redis/client.ts'
import { unlessForbidden } from '../redis/errors.ts'
import { type Info, infoAt, infoOf } from '../redis/info.ts'
import { barrierTtlMs, proveWrite } from './proof/barrier.ts'
import { readDurabilityFacts } from './proof/facts.ts'
import { decideProof, everysecMs } from './proof/proof.ts'

/**
 * Names the incarnation of Redis that took a write: its process and its replication id. Both are new after a restart, the
 * id after a failover: what another incarnation took may be lost. The key `pipeline:incarnation` names another thing, the
 * data: it is stored with the data, so it survives a restart and changes only if they are deleted or replaced.
 */
export type RedisIncarnation = string

export interface Durability extends Disposable {
  /** How long a write must be old before it can be confirmed. */
  readonly settleMs: number
  /** Returns the incarnation of a partition as last seen. What another one takes from now on cannot be confirmed. */
  incarnation(keys: Keys): RedisIncarnation
  /**
   * Returns the incarnation in which every write to a partition that was replied to before the call, and is `settleMs` old,
   * is durable now.
   * @throws when it is not durable yet: the caller retries
   */
  confirm(keys: Keys): Promise<RedisIncarnation>
}

/**
 * Confirms writes as SQS_DELETE_AFTER requires; without it by Redis' append-only file, where there is one.
 * @throws OrdersError ORD_CHECK where Redis does not say what SQS_DELETE_AFTER waits for; ORD_REDIS_UNREACHABLE where it has
 *   become a replica
 */
export async function openDurability(app: App): Promise<Durability> {
  const facts = await readDurabilityFacts(app)
  if (facts.isReplica) {
    const message = 'Redis has become a replica: make sure that its new master answers, and start again.'
    throw new OrdersError('ORD_REDIS_UNREACHABLE', message)
  }
  const proof = decideProof(app.config.sqsDeleteAfter, facts)
  if (proof.by === 'reply') return byReply
  if (proof.by === 'WAIT') return byBarrier(app, { command: 'WAIT', wants: proof.replicas })
  if (proof.by === 'WAITAOF') return byBarrier(app, { command: 'WAITAOF', wants: 1 })
  if (proof.by === 'age') return byAge(app, !facts.syncsWhileRewriting)
  throw new OrdersError('ORD_CHECK', `${proof.why}. ${proof.advice}`)
}

const byReply: Durability = {
  settleMs: 0,
  incarnation: () => '',
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
/**
 * A write on a connection of its own comes after those to confirm, so whatever has stored it has stored those too. Only that
 * connection waits.
 */
async function byBarrier(app: App, { command, wants }: Barrier): Promise<Durability> {
  const { redis } = app
  const waiting = blockingConnection(redis, barrierMs)
  const incarnations = await openIncarnations(app, waiting)
  const confirm = async (keys: Keys): Promise<RedisIncarnation> => {
    const incarnation = await incarnations.read(keys)
    // Renewed, not set: that is a write too, and one that a full Redis takes.
    const renewed = await waiting.pexpire(keys.barrier, barrierTtlMs)
    if (renewed === 0) await proveWrite(waiting, keys, app.instance)
    const args = command === 'WAITAOF' ? [1, 0] : [wants]
    const asked = waiting
      .pipeline()
      .exists(keys.barrier)
      .call(command, ...args, barrierMs)
    if (incarnations.byServer) asked.info('server').info('replication')
    const replies = await asked.exec()
    // WAITAOF is refused as soon as the file is turned off.
    if (/appendonly is disabled/.test(messageOf(replies?.[1]?.[0]))) throw notDurable('its append-only file is off')
    const [, reached, ...info] = unwrapReplies(replies)
    const have = Number(Array.isArray(reached) ? reached[0] : reached)
    if (have < wants) throw notDurable(command === 'WAITAOF' ? 'not on its disk' : `on ${have} of ${wants} replicas`)
    const now = incarnations.byServer ? nameOf(infoOf(info)) : incarnations.byConnection()
    if (now !== incarnation) throw notDurable('another server answers')
    return incarnation
  }
  return { settleMs: 0, incarnation: incarnations.known, confirm, [Symbol.dispose]: () => waiting[Symbol.dispose]() }
}

/** @param rewriting whether nothing is synced while a child of Redis writes a file */
async function byAge(app: App, rewriting: boolean): Promise<Durability> {
  const { redis } = app
  const children = rewriting ? ['aof_rewrite_in_progress', 'rdb_bgsave_in_progress'] : []
  const incarnations = await openIncarnations(app)
  const confirm = async (keys: Keys): Promise<RedisIncarnation> => {
    const incarnation = await incarnations.read(keys)
    const info = await infoAt(redis, keys.barrier, 'persistence', 'server', 'replication')
    const idle = ['aof_pending_bio_fsync', ...children].every((name) => info(name) === '0')
    if (info('aof_enabled') !== '1') throw notDurable('its append-only file is off')
    if (info('aof_last_write_status') !== 'ok' || !idle) throw notDurable('not on its disk')
    // Read last: if Redis was restarted before it named its file, it has another id now.
    if (nameOf(info) !== incarnation) throw notDurable('another server answers')
    return incarnation
  }
  return { settleMs: everysecMs, incarnation: incarnations.known, confirm, [Symbol.dispose]: () => {} }
}

function notDurable(why: string): OrdersError {
  const text = `Redis' last writes are not safe yet (${why})`
  return new OrdersError('ORD_NOT_DURABLE', `${text}: messages stay in SQS until they are.`)
}

/** The incarnations of all partitions, as last seen. */
async function openIncarnations({ redis, partitions }: App, waiting?: RedisClient) {
  const seen = new Map<Keys, RedisIncarnation>()
  let connections = 0
  for (const client of [redis, ...(waiting ? [waiting] : [])]) {
    for (const event of ['close', '-node']) client.on(event, () => connections++) // of a cluster each node
  }
  const byConnection = (): RedisIncarnation => `connection ${connections}`
  const server = await unlessForbidden(redis.pipeline().info('server').exec().then(unwrapReplies))
  // Where INFO hides the server, the id of our connection is used: it does not outlive the server.
  const byServer = server !== undefined && infoOf(server)('run_id') !== undefined
  const read = async (keys: Keys): Promise<RedisIncarnation> => {
    const incarnation = byServer ? nameOf(await infoAt(redis, keys.barrier, 'server', 'replication')) : byConnection()
    seen.set(keys, incarnation)
    return incarnation
  }
  const readAll = () => Promise.all(partitions.map(read))
  await readAll()
  // After a restart or failover the next write can be confirmed: SQS need not deliver its message again.
  const readAgain = (): void => void readAll().catch(() => {}) // the next confirmation reads it as well
  if (byServer) for (const event of ['ready', '+node']) redis.on(event, readAgain)
  const known = (keys: Keys): RedisIncarnation => (byServer ? (seen.get(keys) ?? '') : byConnection())
  return { read, known, byServer, byConnection }
}

function nameOf(info: Info): RedisIncarnation {
  return `${info('run_id')} ${info('master_replid')}`
}
