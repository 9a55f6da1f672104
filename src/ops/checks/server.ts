import type { App } from '../../app.ts'
import { jobsPrefix, type Keys, manifestKey } from '../../keys.ts'
import { mastersOf, type RedisClient } from '../../redis.ts'

type Facts = Readonly<Record<string, string | undefined>>

/** What a Redis server tells of itself. What it does not (INFO, CONFIG or ACL forbidden, as on managed services) is missing. */
export interface Server {
  readonly info: Facts
  /** By CONFIG. */
  readonly settings: Facts
  readonly user: string | undefined
  /** A hash with more entries leaves its compact encoding. */
  readonly compactEntries: number
  /** Commands of ours that it does not have. */
  readonly lacks: readonly string[] | undefined
  /** Commands and keys of ours that its ACL keeps from us. */
  readonly forbids: readonly string[] | undefined
}

/** js-redis-server's word for itself. */
export const emulatorOs = 'mocked redis'
export const isEmulator = ({ info }: Server): boolean => info['os'] === emulatorOs

/** The server, or of a cluster every master. */
export async function readServers({ redis, config, partitions }: App): Promise<Server[]> {
  const [keys] = partitions as [Keys]
  const used = config.sqsDeleteAfter?.kind === 'replicas' ? [...commandsUsed, 'WAIT 1 1'] : commandsUsed
  return Promise.all(mastersOf(redis).map((node) => readServer(node, keys, used)))
}

async function readServer(redis: RedisClient, keys: Keys, used: readonly string[]): Promise<Server> {
  const setting = async (name: string): Promise<Facts> => pairs(await unlessRefused(redis.call('CONFIG', 'GET', name)))
  const [info = '', user, lacks, ...settings] = await Promise.all([
    unlessRefused(redis.info()),
    unlessRefused(redis.call('ACL', 'WHOAMI')),
    readMissing(redis, used),
    setting('maxmemory-policy'),
    setting('appendfsync'),
    setting('hash-max-*-entries'),
  ])
  const known: Facts = Object.assign({}, ...settings)
  return {
    info: Object.fromEntries([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value])),
    settings: known,
    user: user === undefined ? undefined : String(user),
    compactEntries: Number(known['hash-max-listpack-entries'] ?? known['hash-max-ziplist-entries'] ?? 128),
    lacks,
    forbids: await readForbidden(redis, { user: String(user), keys, used }),
  }
}

/** What the server, its ACL included, refuses to tell is undefined; a server that is away is an error. */
async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw error
  }
}

function pairs(flat: unknown): Facts {
  const facts: Record<string, string> = {}
  if (!Array.isArray(flat)) return facts
  for (let i = 0; i + 1 < flat.length; i += 2) facts[String(flat[i])] = String(flat[i + 1])
  return facts
}

/** Each command that the bridge and the stages send or their scripts call, in a form that its server accepts; `K` is a key. */
export const commandsUsed: readonly string[] = [
  ...[
    'EVAL s 1 K',
    'EVALSHA s 1 K',
    'INFO',
    'TIME',
    'EXISTS K',
    'EXPIRE K 1',
    'EXPIREAT K 1',
    'GET K',
    'SET K v',
    'TYPE K',
  ],
  ...[
    'HDEL K f',
    'HEXISTS K f',
    'HGET K f',
    'HGETALL K',
    'HINCRBY K f 1',
    'HLEN K',
    'HMGET K f',
    'HSET K f v',
    'HSETNX K f v',
  ],
  ...['LINDEX K 0', 'LLEN K', 'LPUSH K v', 'LREM K 1 v', 'LSET K 0 v', 'XACK K g 0', 'XADD K * f v', 'XDEL K 0'],
  ...['XAUTOCLAIM K g c 0 0', 'XCLAIM K g c 0 0', 'XGROUP CREATE K g 0', 'XGROUP DELCONSUMER K g c', 'XINFO GROUPS K'],
  ...['PEXPIRE K 1', 'XINFO CONSUMERS K g', 'XINFO STREAM K'],
  ...['XLEN K', 'XPENDING K g', 'XRANGE K - +', 'XREADGROUP GROUP g c STREAMS K >', 'XTRIM K MINID 0'],
  ...[
    'ZADD K 1 m',
    'ZCARD K',
    'ZCOUNT K 0 1',
    'ZLEXCOUNT K - +',
    'ZRANGE K 0 -1',
    'ZREM K m',
    'ZREMRANGEBYSCORE K 0 1',
    'ZREVRANGE K 0 0',
    'ZREVRANK K m',
    'ZSCORE K m',
  ],
]

async function readMissing(redis: RedisClient, used: readonly string[]): Promise<string[] | undefined> {
  const names = [...new Set(used.map((sample) => sample.split(' ')[0] ?? ''))]
  const known = await unlessRefused(redis.call('COMMAND', 'INFO', ...names))
  return Array.isArray(known) ? names.filter((_, at) => known[at] === null) : undefined
}

/** Redis 7.0 and newer tell, to who may ask, whether a command would be allowed, without running it. */
async function readForbidden(
  redis: RedisClient,
  { user, keys, used }: { user: string; keys: Keys; used: readonly string[] },
): Promise<string[] | undefined> {
  const others = [keys.invalidOrders, keys.userStats('u'), keys.ledger(0, 0), manifestKey, jobsPrefix]
  const samples = [
    ...used.map((sample) => sample.split(' ').map((word) => (word === 'K' ? keys.stream.raw : word))),
    ...[keys.counters, keys.globalStats, keys.leaderboardSpend, ...others].map((key) => ['EXPIRE', key, '1']),
  ]
  const asked = redis.pipeline(samples.map((sample) => ['acl', 'DRYRUN', user, ...sample]))
  const replies = (await asked.exec()) ?? []
  if (replies.every(([error]) => error !== null)) return undefined
  const refused = replies.flatMap(([error, told]) => (error || told === 'OK' ? [] : String(told)))
  return [...new Set(refused.map((told) => /'(.*)'/.exec(told)?.[1] ?? told))]
}
