import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, type TestContext, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { bullConnection, openQueues } from '../../../src/control/job-queues.ts'
import { OrdersError } from '../../../src/errors.ts'
import { openOnceUp } from '../../../src/ops/open/open-once-up.ts'
import { blockingConnection, closeRedis, openRedis, type RedisClient } from '../../../src/redis/client.ts'
import { openTelemetry } from '../../../src/telemetry.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { spawnClusterServer } from '../../support/redis-cluster.ts'
import { freePort, type RedisServer, spawnRedisServer } from '../../support/redis-server.ts'
import { requireRedisServer, requireTls } from '../../support/requires.ts'
import { until } from '../../support/until.ts'
import type { Env } from '../../support/world.ts'

const telemetry = openTelemetry(pino({ level: 'silent' }))

/** @param patienceMs longer than a reply takes on a busy machine */
async function connect(env: Env, patienceMs = 4_000): Promise<{ redis: RedisClient } & Disposable> {
  const redis = await openRedis(readConfig(env), 'ask', telemetry, patienceMs)
  return { redis, [Symbol.dispose]: () => closeRedis(redis) }
}

/** The one sentence, and whether waiting may help. */
async function refusal(env: Env, patienceMs?: number): Promise<[sentence: string, code: string]> {
  try {
    using _ = await connect(env, patienceMs)
  } catch (error) {
    if (!(error instanceof OrdersError)) throw error
    return [error.message, error.code]
  }
  throw new Error('it was taken')
}

async function server(context: TestContext, ...options: string[]): Promise<RedisServer> {
  requireRedisServer(context)
  const spawned = await spawnRedisServer(...options)
  if (!spawned) throw new Error('no redis-server')
  context.onTestFinished(() => spawned[Symbol.asyncDispose]())
  return spawned
}

async function listening(context: TestContext, listener: Server): Promise<number> {
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  context.onTestFinished(() => void listener.close())
  const address = listener.address()
  return typeof address === 'object' && address ? address.port : 0
}

const refused = 'ORD_REDIS_REFUSED'
const unreachable = 'ORD_REDIS_UNREACHABLE'

test('a database that the server does not have is refused, and nothing is written to database 0', async (context) => {
  const { port } = await server(context)
  expect(await refusal({ REDIS_URL: `redis://127.0.0.1:${port}/99` })).toEqual([
    `Redis at redis://127.0.0.1:${port}/99 has no such database (ERR DB index is out of range): put another number at the end of REDIS_URL, or raise databases in the configuration of Redis; for a cluster, take it out and set REDIS_CLUSTER=true.`,
    refused,
  ])
})

test('a server that comes back without our database is not used, on any connection, until it has it', async (context) => {
  const redisServer = await server(context)
  const redis = await openRedis(readConfig({ REDIS_URL: `${redisServer.url}/9` }), 'work', telemetry)
  context.onTestFinished(() => closeRedis(redis))
  using reader = blockingConnection(redis, 100)
  const worker = new Worker('w', null, bullConnection(redis))
  worker.on('error', () => {})
  context.onTestFinished(() => worker.close(true))
  await Promise.all([reader.ping(), worker.waitUntilReady()])
  let closed = 0
  reader.on('close', () => closed++)
  await redisServer.stop()
  await redisServer.start('--databases', '1', '--appendonly', 'no')
  const plain = new Redis(redisServer.url)
  plain.on('error', () => {})
  context.onTestFinished(() => plain.disconnect())
  const writes = [redis.set('a', 1), reader.set('b', 1), worker.getNextJob('token', { block: false })]
  await until('some tries', () => closed > 3)
  expect(await plain.dbsize()).toBe(0)
  await redisServer.stop()
  await redisServer.start()
  expect(await Promise.all(writes)).toEqual(['OK', 'OK', undefined])
  expect(await plain.dbsize()).toBe(0)
})

test('a user who may not choose a database is refused', async (context) => {
  const { port, url } = await server(context)
  const admin = new Redis(url)
  context.onTestFinished(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'clerk', 'on', '>word', '~*', '+@all', '-select')
  const [message, code] = await refusal({ REDIS_URL: `redis://clerk:word@127.0.0.1:${port}/2` })
  expect(code).toBe(refused)
  const [, before, after] = /^(.*) \(NOPERM .* run the 'select' command\)(.*)$/.exec(`${message}`) ?? []
  expect(before).toBe(`Redis at redis://***@127.0.0.1:${port}/2 does not let its user choose a database`)
  expect(after).toBe(': allow SELECT with ACL SETUSER, or take the database out of REDIS_URL.')
})

test('a database on a node of a cluster, and a cluster where there is none, are refused', async (context) => {
  requireRedisServer(context)
  await using node = await spawnClusterServer()
  // Valkey 9 says what it says of any database that a server does not have.
  expect(await refusal({ REDIS_URL: `redis://127.0.0.1:${node.port}/2` })).toEqual([
    expect.stringMatching(/ (is a node of a cluster|has no such database).* and set REDIS_CLUSTER=true\.$/),
    refused,
  ])
  const { port } = await server(context)
  expect(await refusal({ REDIS_URL: `redis://127.0.0.1:${port}`, REDIS_CLUSTER: 'true' })).toEqual([
    `Redis at redis://127.0.0.1:${port} is no cluster (ERR This instance has cluster support disabled): unset REDIS_CLUSTER, or name a node of the cluster in REDIS_URL.`,
    refused,
  ])
})

test('passwords with every special character are taken, raw where a URL can be read so, escaped always', async (context) => {
  const password = 'a%b@c:d,e'
  const { port, url } = await server(context)
  const at = `127.0.0.1:${port}`
  const admin = new Redis(url)
  context.onTestFinished(() => admin.disconnect())
  await admin.config('SET', 'requirepass', password)
  for (const written of [encodeURIComponent(password), 'a%25b@c:d,e']) {
    using open = await connect({ REDIS_URL: `redis://:${written}@${at}/3` })
    expect(await open.redis.ping()).toBe('PONG')
  }
  expect(await refusal({ REDIS_URL: `redis://${at}` })).toEqual([
    expect.stringContaining(`Redis at redis://${at} requires a password (NOAUTH`),
    refused,
  ])
  expect(await refusal({ REDIS_URL: `redis://:a%25b@${at}` })).toEqual([
    `Redis at redis://***@${at} refuses the user or password (WRONGPASS invalid username-password pair or user is disabled): fix REDIS_URL, in which % is written %25, @ %40, : %3A, / %2F, ? %3F and # %23.`,
    refused,
  ])
})

test('a socket is taken, by path and by unix://, with user, password and database, by every connection', async (context) => {
  const path = join('/tmp', `orders-test-${process.pid}-${await freePort()}.sock`)
  const { port } = await server(context, '--unixsocket', path)
  const tcp = new Redis(port, '127.0.0.1', { db: 2 })
  context.onTestFinished(() => tcp.disconnect())
  await tcp.config('SET', 'requirepass', 'word')
  using open = await connect({ REDIS_URL: `unix://:word@${path}?db=2` })
  using reader = blockingConnection(open.redis, 100)
  await using queues = openQueues(open.redis)
  await reader.xadd('s', '*', 'f', 'v')
  await queues.replay.add('job', { limit: 1, dryRun: true, until: '' })
  expect(await tcp.exists('s', '{jobs}:replay:meta')).toBe(2)
  await tcp.config('SET', 'requirepass', '')
  using bare = await connect({ REDIS_URL: path })
  expect(await bare.redis.dbsize()).toBe(0)
  expect(await refusal({ REDIS_URL: `${path}.not` })).toEqual([
    `Redis does not answer at unix://${path}.not (connect ENOENT ${path}.not): start it or set REDIS_URL.`,
    unreachable,
  ])
})

test('TLS is taken with the CA of REDIS_CA_FILE, by every connection, and each mismatch has its sentence', async (context) => {
  requireTls(context)
  using certificates = makeCertificates()
  const tlsPort = await freePort()
  const tls = ['--tls-port', `${tlsPort}`, ...certificates.options]
  const { port } = await server(context, ...tls, '--tls-auth-clients', 'no')
  const [secure, plain] = [`rediss://127.0.0.1:${tlsPort}`, `redis://127.0.0.1:${port}`]
  using open = await connect({ REDIS_URL: `${secure}/2`, REDIS_CA_FILE: certificates.caFile })
  using reader = blockingConnection(open.redis, 100)
  await using queues = openQueues(open.redis)
  await queues.replay.add('job', { limit: 1, dryRun: true, until: '' })
  expect(await reader.exists('{jobs}:replay:meta')).toBe(1)

  expect(await refusal({ REDIS_URL: secure })).toEqual([
    `Redis at ${secure} has a certificate of a CA that is not known here (self-signed certificate in certificate chain): name the PEM file of that CA in REDIS_CA_FILE.`,
    refused,
  ])
  using others = makeCertificates()
  expect(await refusal({ REDIS_URL: secure, REDIS_CA_FILE: others.caFile })).toEqual([
    `Redis at ${secure} has a certificate of a CA that is not in REDIS_CA_FILE (self-signed certificate in certificate chain): name the PEM file of that CA in REDIS_CA_FILE.`,
    refused,
  ])
  expect(await refusal({ REDIS_HOST: '127.0.0.1', REDIS_PORT: `${tlsPort}` })).toEqual([
    `Redis at redis://127.0.0.1:${tlsPort} speaks TLS only: write rediss:// in REDIS_URL.`,
    refused,
  ])
  expect(await refusal({ REDIS_URL: plain.replace('redis', 'rediss'), REDIS_CA_FILE: certificates.caFile })).toEqual([
    `Redis at rediss://127.0.0.1:${port} does not speak TLS: write redis:// in REDIS_URL, or name its TLS port there.`,
    refused,
  ])
  expect(await refusal({ REDIS_URL: `rediss://localhost:${tlsPort}`, REDIS_CA_FILE: certificates.caFile })).toEqual([
    expect.stringMatching(
      /^Redis at rediss:\/\/localhost:\d+ has a certificate for another name \(Hostname\/IP does not match certificate's altnames: .*\): put a name of the certificate in REDIS_URL\.$/,
    ),
    refused,
  ])
  expect(await refusal({ REDIS_URL: secure, REDIS_CA_FILE: '/nowhere.pem' })).toEqual([
    `REDIS_CA_FILE is "/nowhere.pem" and cannot be read (ENOENT: no such file or directory, open '/nowhere.pem'): name the PEM file of the CA.`,
    'ORD_CONFIG',
  ])
  expect(
    await refusal({ REDIS_URL: secure, REDIS_CA_FILE: import.meta.filename.replace('.test.ts', '.test.ts') }),
  ).toEqual([expect.stringMatching(/ and holds no certificate: name the PEM file of the CA\.$/), 'ORD_CONFIG'])
})

test('a server that wants certificates of its clients says so', async (context) => {
  requireTls(context)
  using certificates = makeCertificates()
  const tlsPort = await freePort()
  await server(context, '--tls-port', `${tlsPort}`, ...certificates.options)
  const url = `rediss://127.0.0.1:${tlsPort}`
  expect(await refusal({ REDIS_URL: url, REDIS_CA_FILE: certificates.caFile })).toEqual([
    expect.stringMatching(
      /^Redis at rediss:\/\/127\.0\.0\.1:\d+ requires a certificate from its clients, and orders has none: set tls-auth-clients no, or optional, in the configuration of Redis\.$/,
    ),
    refused,
  ])
})

test('a port that speaks HTTP, or anything else, is said to be something else', async (context) => {
  const http = await listening(
    context,
    createHttp((_, response) => response.end('hello')),
  )
  expect(await refusal({ REDIS_URL: `redis://127.0.0.1:${http}` })).toEqual([
    `Redis at redis://127.0.0.1:${http} is not Redis (says "HTTP/1.1 400 Bad Request"): put the port of Redis in REDIS_URL.`,
    refused,
  ])
  expect(await refusal({ REDIS_URL: `rediss://127.0.0.1:${http}` })).toEqual([
    expect.stringContaining('is not Redis (says "HTTP/1.1 400 Bad Request")'),
    refused,
  ])
  const ssh = await listening(
    context,
    createServer((socket) => {
      socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n')
    }),
  )
  expect(await refusal({ REDIS_PORT: `${ssh}` })).toEqual([
    `Redis at redis://localhost:${ssh} is not Redis (says "SSH-2.0-OpenSSH_9.2p1 Debian-2"): put the port of Redis in REDIS_PORT.`,
    refused,
  ])
})

test('a server in protected mode says so', async (context) => {
  const denied =
    '-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want …\r\n'
  const port = await listening(
    context,
    createServer((socket) => {
      socket.on('error', () => {}).end(denied)
    }),
  )
  expect(await refusal({ REDIS_URL: `redis://127.0.0.1:${port}` })).toEqual([
    expect.stringMatching(
      /^Redis at redis:\/\/127\.0\.0\.1:\d+ is in protected mode and takes connections from its own machine only \(DENIED Redis is running in protected mode .*\): give it a password and put that in REDIS_URL, or set protected-mode no if no other machine can reach it\.$/,
    ),
    refused,
  ])
})

test('a server that has all the clients it takes says so, and may take us later', async (context) => {
  const { port, url } = await server(context)
  const only = new Redis(url)
  context.onTestFinished(() => only.disconnect())
  await only.config('SET', 'maxclients', '1')
  expect(await refusal({ REDIS_URL: url })).toEqual([
    `Redis at redis://127.0.0.1:${port} has reached its limit of clients (ERR max number of clients reached): raise maxclients in the configuration of Redis, or stop clients that are not needed.`,
    unreachable,
  ])
})

test('a server that is busy with a script says so, and may take us later', async (context) => {
  const busy = await server(context, '--busy-reply-threshold', '20')
  const { url } = busy
  context.onTestFinished(() => busy.stop('SIGKILL')) // it does not hear anything else
  const looping = new Redis(url, { retryStrategy: () => null })
  looping.on('error', () => {})
  context.onTestFinished(() => looping.disconnect())
  const loop = looping.eval('while true do end', 0).catch(() => {})
  const killer = new Redis(url, { enableReadyCheck: false, maxRetriesPerRequest: null })
  context.onTestFinished(() => killer.disconnect())
  await until(
    'it to be busy',
    () => killer.ping().catch(String),
    (said) => said.includes('BUSY'),
  )
  expect(await refusal({ REDIS_URL: url })).toEqual([
    expect.stringMatching(
      /^Redis at \S+ is busy with a script that runs too long \(BUSY \w+ is busy .*\): wait until it ends, or end it with SCRIPT KILL\.$/,
    ),
    unreachable,
  ])
  await killer.call('SCRIPT', 'KILL')
  await loop
})

test('a server that loads its data says so, with a password too, and a start waits until it has', async (context) => {
  const redisServer = await server(context, '--enable-debug-command', 'yes')
  const filling = new Redis(redisServer.url)
  await filling.call('DEBUG', 'POPULATE', '50000')
  await filling.call('BGREWRITEAOF')
  await until(
    'it to be on disk',
    () => filling.info('persistence'),
    (info) => info.includes('aof_rewrite_in_progress:0'),
  )
  filling.disconnect()
  await redisServer.stop()
  const slow = ['--key-load-delay', '200', '--loading-process-events-interval-bytes', '1024']
  const started = redisServer.start('--requirepass', 'word', ...slow)
  context.onTestFinished(() => redisServer.stop('SIGKILL'))
  started.catch(() => {})
  const { port } = redisServer
  const said = (): Promise<[string, string]> => refusal({ REDIS_URL: `redis://:word@127.0.0.1:${port}` })
  expect(await until('it to listen', said, ([sentence]) => !sentence.includes('ECONNREFUSED'))).toEqual([
    `Redis at redis://***@127.0.0.1:${port} is still loading its data: wait until it has loaded, then try again.`,
    unreachable,
  ])
  const settings = readConfig({ REDIS_URL: `redis://:word@127.0.0.1:${port}`, LOG_LEVEL: 'silent' })
  const opening = openOnceUp(settings, ['validate'], new AbortController().signal)
  const hurry = new Redis(port, '127.0.0.1', { password: 'word', enableReadyCheck: false })
  context.onTestFinished(() => hurry.disconnect())
  await hurry.config('SET', 'key-load-delay', '0')
  await using app = await opening
  expect(await app.redis.dbsize()).toBeGreaterThan(50_000)
})

test('a server that accepts and never answers is one sentence too', async (context) => {
  const port = await listening(
    context,
    createServer((socket) => void socket.on('error', () => {})),
  )
  // Longer than one command may take, too: on a busy machine that limit can come first.
  for (const patienceMs of [1_400, 10_000]) {
    expect(await refusal({ REDIS_URL: `redis://127.0.0.1:${port}` }, patienceMs)).toEqual([
      `Redis does not answer at redis://127.0.0.1:${port} (no answer): start it or set REDIS_URL.`,
      unreachable,
    ])
  }
})
