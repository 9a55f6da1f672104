import { describe, expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { OrdersError } from '../../../src/errors.ts'

/** The lines that a refused environment gets; none where it is accepted. */
function complaints(env: Record<string, string>): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof OrdersError)) throw error
    return error.message.split('\n')
  }
}

const escapes =
  '% in its user and password as %25, @ as %40, : as %3A, / as %2F, ? as %3F and # as %23, and nothing after the database'
const database = 'a database number after the host, such as redis://host:6379/2'
const url = 'a redis:// or rediss:// URL, or the path of a socket'

describe('REDIS_URL', () => {
  test.each([
    'redis://h',
    'redis://h:6379/',
    'redis://h/0',
    'rediss://h:6379/99',
    'redis://[::1]:6379/1',
    'redis://:an@hunter2@h:6379',
    'redis://user:a:hunter2@h',
    'redis://:a,hunter2@h',
    'redis://:%25%40%3A%2F%23@h',
    'unix:///run/redis.sock',
    'unix://user:hunter2@/run/redis.sock?db=2',
    '/run/redis.sock',
    '/run/redis.sock?db=2',
  ])('%s is taken', (given) => {
    expect(complaints({ REDIS_URL: given })).toEqual([])
  })

  test.each([
    ['redis://h/abc', 'redis://h/abc', database],
    ['redis://h/-1', 'redis://h/-1', database],
    ['redis://h/1/2', 'redis://h/1/2', database],
    ['redis://:50%hunter2@h:6379', 'redis://***@h:6379', escapes],
    ['redis://:50%e4hunter2@h', 'redis://***@h', escapes],
    ['unix://:50%hunter2@/run/redis.sock', '***@/run/redis.sock', escapes],
    ['redis://user:12/hunter2@h:6379', '***@h:6379', escapes],
    ['redis://:an@b/hunter2@h:6379', '***@h:6379', escapes],
    ['redis://user:12#hunter2@h:6379', '***@h:6379', escapes],
    ['redis://user:12?hunter2@h:6379', '***@h:6379', escapes],
    ['redis://:a/hunter2@h:6379', '***@h:6379', escapes],
    ['redis://h/3?db=2&password=hunter2', 'redis://h/3?***', escapes],
    ['redis://:hunter2', 'redis://***', url],
    ['redis://user:hunter2', 'redis://user:***', url],
    ['redis://user:hunter2@', '***@', url],
    ['redis://h:0', 'redis://h:0', url],
    ['redis://a,b', 'redis://a,b', url],
    ['redis://[h]:6379', 'redis://[h]:6379', url],
    ['unix://run/redis.sock', 'unix://run/redis.sock', url],
    ['./redis.sock', './redis.sock', url],
  ])('%s is refused and says what to do, without a password', (given, shown, expected) => {
    expect(complaints({ REDIS_URL: given })).toEqual([`REDIS_URL is "${shown}": expected ${expected}.`])
  })

  test.each([
    [{ REDIS_URL: 'redis://h:1/2', REDIS_CLUSTER: 'true' }, 'no database: a Redis Cluster has only database 0'],
    [{ REDIS_URL: '/run/redis.sock', REDIS_CLUSTER: 'true' }, 'a redis:// or rediss:// URL, with REDIS_CLUSTER=true'],
    [{ REDIS_URL: 'redis://a:1,redis://b:1' }, 'one URL, or several with REDIS_CLUSTER=true'],
    [{ REDIS_URL: '/run/redis.sock', REDIS_SENTINELS: 'a' }, 'a redis:// or rediss:// URL, with REDIS_SENTINELS'],
  ])('%j is refused: the one does not go with the other', (env, expected) => {
    expect(complaints(env)).toEqual([`REDIS_URL is "${env.REDIS_URL}": expected ${expected}.`])
  })

  test('of a cluster may name several nodes, or one in database 0', () => {
    expect(complaints({ REDIS_URL: 'redis://a:1,redis://b:1/0', REDIS_CLUSTER: 'true' })).toEqual([])
  })
})

describe('REDIS_HOST', () => {
  test.each(['h', '10.0.0.7', '::1', '[::1]', 'fe80::1%eth0'])('%s is taken', (given) => {
    expect(complaints({ REDIS_HOST: given })).toEqual([])
  })

  test.each([
    ['h:6379', 'h:6379', 'a host name or address alone: its port goes into REDIS_PORT'],
    ['user:hunter2@h', '***@h', 'a host name or address alone: user and password go into REDIS_URL'],
    ['/run/redis.sock', '/run/redis.sock', 'a host name or address: the path of a socket goes into REDIS_URL'],
    ['h%41', 'h%41', 'a host name or address'],
    ['a,b', 'a,b', 'a host name or address'],
  ])('%s is refused and says where it goes', (given, shown, expected) => {
    expect(complaints({ REDIS_HOST: given })).toEqual([`REDIS_HOST is "${shown}": expected ${expected}.`])
  })
})

describe('REDIS_SENTINELS', () => {
  test('are read with their ports, 26379 where there is none', () => {
    expect(readConfig({ REDIS_SENTINELS: 'a:1,b, [::1]:26380' })).toMatchObject({
      redisSentinels: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
        { host: '::1', port: 26380 },
      ],
      redisSentinelName: 'mymaster',
    })
  })

  test.each(['a:x', 'redis://a:1', 'a,,b', 'a b'])('%s is refused', (given) => {
    const expected = 'host:port of each sentinel, separated by commas'
    expect(complaints({ REDIS_SENTINELS: given })).toEqual([`REDIS_SENTINELS is "${given}": expected ${expected}.`])
  })

  test('and a cluster are not to be had at once', () => {
    expect(complaints({ REDIS_SENTINELS: 'a', REDIS_CLUSTER: 'true' })).toEqual([
      'REDIS_SENTINELS is "a": expected none with REDIS_CLUSTER=true.',
    ])
  })
})
