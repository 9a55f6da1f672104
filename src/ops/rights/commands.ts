import type { Pipeline } from '../../stages/placed.ts'

/** Names the components that connect to Redis. `operator` stands for commands such as status and verify. */
export const actors = ['bridge', 'stages', 'jobs', 'api', 'operator'] as const
export type Actor = (typeof actors)[number]

/** A command in a form that Redis accepts, with `K` for a key, and the actors that need it, directly or in a script. */
type Use = readonly [sample: string, ...users: readonly (Actor | 'everyone')[]]

/**
 * Lists every command that we, BullMQ and ioredis send to Redis or call in scripts. A script has the rights of its caller.
 * A test records the commands of each actor, and searches the scripts for rare calls.
 */
const uses: readonly Use[] = [
  ['SELECT 0', 'everyone'],
  ['EVAL s 1 K', 'everyone'],
  ['EVALSHA s 1 K', 'everyone'],
  ['TIME', 'everyone'],
  ['EXISTS K', 'everyone'],
  ['TYPE K', 'everyone'],
  ['GET K', 'everyone'],
  ['SET K v', 'everyone'],
  ['HGETALL K', 'everyone'],
  ['HINCRBY K f 1', 'everyone'],
  ['HLEN K', 'everyone'],
  ['HKEYS K', 'stages', 'jobs', 'api', 'operator'],
  ['HMGET K f', 'everyone'],
  ['HSET K f v', 'everyone'],
  ['HSETNX K f v', 'everyone'],
  ['EXPIRE K 1', 'everyone'],
  ['XADD K * f v', 'everyone'],
  ['LINDEX K 0', 'everyone'],
  ['ZREVRANGE K 0 0', 'everyone'],
  ['HEXISTS K f', 'everyone'],
  ['PEXPIRE K 1', 'everyone'],
  ['WAIT 0 1', 'bridge', 'stages', 'jobs', 'operator'],
  ['HGET K f', 'everyone'],
  ['HDEL K f', 'everyone'],
  ['LLEN K', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['LPUSH K v', 'stages', 'jobs', 'api', 'operator'],
  ['XLEN K', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['XRANGE K - +', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['XTRIM K MINID 0', 'stages', 'jobs', 'api', 'operator'],
  ['ZADD K 1 m', 'stages', 'jobs', 'api', 'operator'],
  ['ZCARD K', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['ZRANGE K 0 -1', 'stages', 'jobs', 'api', 'operator'],
  ['ZRANGEBYSCORE K 0 1', 'stages', 'jobs', 'api', 'operator'],
  ['ZREM K m', 'stages', 'jobs', 'api', 'operator'],
  ['ZSCORE K m', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['ZMSCORE K m', 'stages'],
  ['EXPIREAT K 1', 'stages', 'operator'],
  ['XACK K g 0', 'stages', 'jobs', 'operator'],
  ['XAUTOCLAIM K g c 0 0', 'stages'],
  ['XCLAIM K g c 0 0', 'stages', 'jobs', 'operator'],
  ['XGROUP CREATE K g 0', 'stages'],
  ['XGROUP DELCONSUMER K g c', 'stages'],
  ['XGROUP DESTROY K g', 'stages', 'operator'],
  ['XGROUP SETID K g 0', 'stages'],
  ['XINFO CONSUMERS K g', 'stages', 'operator'],
  ['XINFO GROUPS K', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['XINFO STREAM K', 'stages', 'jobs', 'api', 'operator'],
  ['XPENDING K g', 'bridge', 'stages', 'jobs', 'api', 'operator'],
  ['XREADGROUP GROUP g c STREAMS K >', 'stages'],
  ['ZREMRANGEBYSCORE K 0 1', 'stages', 'jobs', 'operator'],
  ['DEL K', 'stages', 'jobs', 'api', 'operator'],
  ['EXEC', 'api', 'operator'],
  ['MULTI', 'api', 'operator'],
  ['HMSET K f v', 'jobs', 'api', 'operator'],
  ['INCR K', 'jobs', 'api', 'operator'],
  ['LPOS K v', 'jobs', 'api', 'operator'],
  ['LRANGE K 0 -1', 'stages', 'jobs', 'api', 'operator'],
  ['LREM K 1 v', 'jobs', 'api', 'operator'],
  ['LSET K 0 v', 'jobs', 'api', 'operator'],
  ['LTRIM K 0 -1', 'stages', 'jobs', 'api', 'operator'],
  ['PERSIST K', 'jobs', 'api', 'operator'],
  ['PTTL K', 'jobs', 'api', 'operator'],
  ['RPUSH K v', 'stages', 'jobs', 'api', 'operator'],
  ['SADD K m', 'jobs', 'api', 'operator'],
  ['SCARD K', 'jobs', 'api', 'operator'],
  ['SMEMBERS K', 'jobs', 'api', 'operator'],
  ['SREM K m', 'jobs', 'api', 'operator'],
  ['XDEL K 0', 'jobs', 'api', 'operator'],
  ['XREVRANGE K + -', 'api', 'operator'],
  ['ZCOUNT K 0 1', 'api', 'operator'],
  ['ZLEXCOUNT K - +', 'jobs', 'api', 'operator'],
  ['ZRANGEBYLEX K - +', 'jobs', 'api', 'operator'],
  ['ZREVRANGEBYSCORE K 1 0', 'jobs', 'api', 'operator'],
  ['BZPOPMIN K 1', 'jobs'],
  ['RPOPLPUSH K K', 'jobs'],
  ['ZPOPMIN K', 'jobs'],
  ['ZREMRANGEBYRANK K 0 1', 'jobs'],
  ['HSCAN K 0', 'api', 'operator'],
  ['LPOP K', 'api'],
  ['SSCAN K 0', 'api'],
  ['RPOP K', 'api', 'operator'],
  ['ZREVRANGEBYLEX K + -', 'api', 'operator'],
  ['ZREVRANK K m', 'api', 'operator'],
  ['RENAME K K', 'api', 'operator'],
  ['RENAMENX K K', 'operator'],
  ['SCAN 0', 'api', 'operator'],
  ['XREAD STREAMS K 0', 'operator'],
  ['UNLINK K', 'api', 'operator'],
  ['TTL K', 'operator'],
  ['ZDIFF 1 K', 'operator'],
  ['HVALS K', 'operator'],
  ['ZSCAN K 0', 'operator'],
]

/** Lists optional commands. Everything works without them, and reports the values that it cannot read. */
const extras: readonly Use[] = [
  ['INFO', 'everyone'],
  ['CONFIG GET maxmemory', 'everyone'],
  ['ACL WHOAMI', 'everyone'],
  ['ACL DRYRUN default PING', 'everyone'],
  ['COMMAND INFO GET', 'everyone'],
  ['CLIENT SETNAME n', 'jobs'],
  ['CLIENT LIST', 'api'],
]

/** Lists optional commands of Redis 7.2. An older Redis refuses rules that name them. */
const newerExtras: readonly Use[] = [
  ['CLIENT SETINFO LIB-NAME orders', 'everyone'],
  ['WAITAOF 1 0 1', 'bridge', 'stages', 'jobs', 'operator'],
]

/** Lists the commands by which ioredis follows a cluster. */
const clusterUses: readonly Use[] = [
  ['CLUSTER SLOTS', 'everyone'],
  ['CLUSTER INFO', 'everyone'],
  ['ASKING', 'everyone'],
]

/** Returns the actors of a process that runs these roles. `operator` is not a role, and is returned as it is. */
export function actorsOf({ names }: Pipeline, roles: readonly string[]): Actor[] {
  const mine = roles.map((role) => (names.includes(role) ? 'stages' : role))
  return actors.filter((actor) => mine.includes(actor))
}

const of =
  (list: readonly Use[]) =>
  (who: readonly Actor[]): string[] =>
    list.flatMap(([sample, ...users]) =>
      users.some((user) => user === 'everyone' || who.includes(user)) ? [sample] : [],
    )

/** Returns sample commands that these actors need. */
export const neededBy = of(uses)
export const extrasOf = of(extras)
export const newerExtrasOf = of(newerExtras)
export const neededOfCluster = of(clusterUses)

const withSubcommands = ['XGROUP', 'XINFO', 'CONFIG', 'ACL', 'COMMAND', 'CLIENT', 'CLUSTER']

/** Returns the name of a command as an ACL writes it: `XINFO|GROUPS`. */
export function nameIn(sample: string): string {
  const [name = '', sub = ''] = sample.split(' ')
  return withSubcommands.includes(name) ? `${name}|${sub}` : name
}
