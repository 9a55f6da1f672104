import type { App } from '../../app.ts'
import { idempotencyKey, incidentsKey, type Keys, lockKey, manifestKey } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mastersOf } from '../../redis/cluster.ts'
import { unlessRefused } from '../../redis/errors.ts'
import { type Actor, nameIn, neededBy, neededOfCluster } from '../rights/commands.ts'

type Facts = Readonly<Record<string, string | undefined>>

/** The properties of a Redis server. Those it hides (INFO, CONFIG or ACL forbidden, as on managed services) are missing. */
export interface Server {
  readonly info: Facts
  /** Replies of CONFIG GET. */
  readonly settings: Facts
  readonly user: string | undefined
  /** A hash with more entries leaves its compact encoding. */
  readonly compactEntries: number
  /** Commands that we use and it does not have. */
  readonly lacks: readonly string[] | undefined
  /** Commands and keys that we use and its ACL forbids. */
  readonly forbids: readonly string[] | undefined
}

/** The operating system that js-redis-server reports. */
export const emulatorOs = 'mocked redis'
export const isEmulator = ({ info }: Server): boolean => info['os'] === emulatorOs

/**
 * Reads the properties of the server, or of every master of a cluster.
 * @param who the actors whose rights the user must have
 */
export async function readServers(app: App, who: readonly Actor[]): Promise<Server[]> {
  return Promise.all(mastersOf(app.redis).map((node) => readServer(node, app.partitions, usedBy(app, who))))
}

/** Returns the commands that these actors use with this configuration. */
function usedBy({ redis, config }: App, who: readonly Actor[]): string[] {
  const waits = config.sqsDeleteAfter?.kind === 'replicas'
  const chooses = !config.redisCluster && (redis.options.db ?? 0) > 0
  return [...neededBy(who), ...(config.redisCluster ? neededOfCluster(who) : [])].filter((sample) => {
    if (sample.startsWith('WAIT ')) return waits
    return sample.startsWith('SELECT ') ? chooses : true
  })
}

async function readServer(redis: RedisClient, partitions: readonly Keys[], used: readonly string[]): Promise<Server> {
  const setting = async (name: string): Promise<Facts> => pairs(await unlessRefused(redis.call('CONFIG', 'GET', name)))
  const [info = '', user, lacks, ...settings] = await Promise.all([
    unlessRefused(redis.info()),
    unlessRefused(redis.call('ACL', 'WHOAMI')),
    readMissing(redis, used),
    setting('maxmemory-policy'),
    setting('hash-max-*-entries'),
  ])
  const known: Facts = Object.assign({}, ...settings)
  return {
    info: Object.fromEntries([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value])),
    settings: known,
    user: user === undefined ? undefined : String(user),
    compactEntries: Number(known['hash-max-listpack-entries'] ?? known['hash-max-ziplist-entries'] ?? 128),
    lacks,
    forbids: await readForbidden(redis, { user: String(user), partitions, used }),
  }
}

function pairs(flat: unknown): Facts {
  const facts: Record<string, string> = {}
  if (!Array.isArray(flat)) return facts
  for (let i = 0; i + 1 < flat.length; i += 2) facts[String(flat[i])] = String(flat[i + 1])
  return facts
}

async function readMissing(redis: RedisClient, used: readonly string[]): Promise<string[] | undefined> {
  const names = [...new Set(used.map((sample) => sample.split(' ')[0] ?? ''))]
  const known = await unlessRefused(redis.call('COMMAND', 'INFO', ...names))
  return Array.isArray(known) ? names.filter((_, at) => known[at] === null) : undefined
}

/** Asks Redis with ACL DRYRUN which commands it would refuse. Returns undefined before 7.0, or if the user may not ask. */
async function readForbidden(
  redis: RedisClient,
  { user, partitions, used }: { user: string; partitions: readonly Keys[]; used: readonly string[] },
): Promise<string[] | undefined> {
  const keys = [...partitions.flatMap(keysOf), manifestKey, incidentsKey, lockKey]
  const jobs = used.some((sample) => sample.startsWith('LPOS')) ? [idempotencyKey('')] : []
  const [key = ''] = keys
  const samples = [
    ...used.map((sample) => sample.split(' ').map((word) => (word === 'K' ? key : word))),
    ...[...keys, ...jobs].map((key) => ['EXISTS', key]),
  ]
  const asked = redis.pipeline(samples.map((sample) => ['acl', 'DRYRUN', user, ...sample]))
  const replies = (await asked.exec()) ?? []
  if (replies.every(([error]) => error !== null)) return undefined
  const refused = replies.flatMap(([error, reply], at) => {
    if (error || reply === 'OK') return []
    return /'(.*)'/.exec(String(reply))?.[1] ?? nameIn((samples[at] ?? []).join(' '))
  })
  return [...new Set(refused)]
}

/** Returns one key of each kind. */
function keysOf(keys: Keys): string[] {
  const { stream, counters, globalStats, leaderboardSpend, invalidOrders } = keys
  const others = [keys.invalidGroup('malformed-json'), keys.outcome('o'), keys.userStats('u'), keys.ledger(0, 0)]
  return [stream('raw'), counters, globalStats, leaderboardSpend, invalidOrders, ...others]
}
