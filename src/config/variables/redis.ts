import { z } from 'zod'
import { maxPartitions } from '../../partitions.ts'
import { expectedHost, expectedRedisUrl, isHost, readAddress, unreadable } from '../redis-url.ts'
import { define, flag, integer, text, withDefault } from '../variable.ts'

export const redisVariables = {
  redisHost: define({
    name: 'REDIS_HOST',
    unit: 'host',
    expected: 'a host name or address',
    expectedOf: expectedHost,
    unset: '`localhost` for `orders run`; local emulator for `orders start`',
    about: 'Host of Redis.',
    schema: text.refine(isHost).optional(),
  }),
  redisPort: define({
    name: 'REDIS_PORT',
    unit: 'port',
    expected: 'a port number from 1 to 65535',
    unset: '`6379`',
    about: 'Port of Redis.',
    schema: integer(1, 65_535).optional(),
  }),
  redisUrl: define({
    name: 'REDIS_URL',
    unit: 'URL',
    expected: expectedRedisUrl,
    expectedOf: (given) => unreadable(given)[0],
    unset: 'REDIS_HOST and REDIS_PORT',
    about:
      'URL of Redis, with user, password, database or TLS (`rediss://`), or the path of its socket; overrides REDIS_HOST and REDIS_PORT. For a cluster: one or more nodes, separated by commas.',
    schema: text.refine((given) => unreadable(given).length === 0).optional(),
  }),
  redisPasswordFile: define({
    name: 'REDIS_PASSWORD_FILE',
    unit: 'path',
    expected: 'the path of a file',
    unset: 'the password of REDIS_URL',
    about:
      'File with the password of Redis, read again at each connect, so that a token may be renewed in it. Overrides the password of REDIS_URL.',
    schema: text.optional(),
  }),
  redisCaFile: define({
    name: 'REDIS_CA_FILE',
    unit: 'path',
    expected: 'the path of a PEM file',
    unset: "Node's own CAs",
    about: 'Certificates of the CA that signed the certificate of Redis, for `rediss://`.',
    schema: text.optional(),
  }),
  redisSentinels: define({
    name: 'REDIS_SENTINELS',
    unit: 'list',
    expected: 'host:port of each sentinel, separated by commas',
    unset: 'none',
    about:
      'Sentinels to ask for the master. REDIS_URL then gives only user, password, database and TLS; TLS applies to the sentinels too.',
    schema: text
      .transform((given) => given.split(',').map((sentinel) => readAddress(sentinel.trim(), 26_379)))
      .pipe(z.array(z.object({ host: text, port: z.int() })))
      .optional(),
  }),
  redisSentinelName: define({
    name: 'REDIS_SENTINEL_NAME',
    unit: 'name',
    expected: 'the name of a master that the sentinels watch',
    about: 'Name of the master at the sentinels.',
    schema: withDefault(text.regex(/^\S+$/), 'mymaster'),
  }),
  redisSentinelUsername: define({
    name: 'REDIS_SENTINEL_USERNAME',
    unit: 'text',
    expected: 'a user name',
    unset: 'none',
    about: 'User at the sentinels themselves.',
    schema: text.optional(),
  }),
  redisSentinelPassword: define({
    name: 'REDIS_SENTINEL_PASSWORD',
    unit: 'text',
    expected: 'a password',
    unset: 'none',
    about: 'Password of the sentinels themselves.',
    isSecret: true,
    schema: text.optional(),
  }),
  redisCluster: define({
    name: 'REDIS_CLUSTER',
    unit: 'flag',
    expected: '`true` or `false`',
    about: 'Set to `true` if REDIS_URL names a Redis Cluster. Every key then carries a hash tag.',
    schema: flag,
  }),
  partitions: define({
    name: 'PARTITIONS',
    unit: 'count',
    expected: `a whole number from 1 to ${maxPartitions}`,
    unset: 'none, and bare key names; 1 on a Redis Cluster',
    about:
      'Partitions of the work, by user; each has its own keys in one slot. Change it only with `orders repartition`.',
    schema: integer(1, maxPartitions).optional(),
  }),
}
