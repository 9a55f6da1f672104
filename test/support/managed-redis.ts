import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { allow, rulesFor } from '../../src/ops/rights/acl.ts'
import { actors, extrasOf } from '../../src/ops/rights/commands.ts'
import { makeCertificates } from './certificates.ts'
import { removeOnExit } from './on-exit.ts'
import { spawnClusterServer } from './redis-cluster.ts'
import { freePort, type RedisServer, spawnRedisServer } from './redis-server.ts'
import { until } from './until.ts'
import type { Env } from './world.ts'

/** Commands that ElastiCache and MemoryDB list as not available. */
const removed = [
  ...['CONFIG', 'DEBUG', 'SAVE', 'BGSAVE', 'BGREWRITEAOF', 'SHUTDOWN'],
  ...['REPLICAOF', 'SLAVEOF', 'MIGRATE', 'SYNC', 'PSYNC', 'MODULE'],
]
/** ACL is not available to a client either; the test, which is the service here, calls it by this name. */
const aclName = 'acl-of-the-service'

/** A real redis-server that refuses what managed services refuse. */
export interface ManagedRedis extends AsyncDisposable {
  /** The variables of a process that uses it, by the name of this machine. */
  readonly env: Env
  /** The same by another name, for which its certificate is valid. */
  urlAt(host: string): string
  /** A connection of the service itself, which may do all. */
  readonly admin: Redis
  /** Gives the user another password, first on the server and then in the file, and ends its connections. */
  rotate(): Promise<void>
  /** The number of arguments of the longest request so far, its command included. */
  maxRequest(): number
  /** Commands and keys that the user was refused by its rights. */
  refused(): Promise<string[]>
}

export interface Service {
  /** True for a cluster of one node, which has a name instead of an address. */
  readonly cluster: boolean
  /** True if INFO is allowed. */
  readonly info: boolean
  /** The names in its certificate, next to `localhost`. */
  readonly hosts: readonly string[]
}

export async function spawnManagedRedis({ cluster, info, hosts }: Service): Promise<ManagedRedis> {
  await using stack = new AsyncDisposableStack()
  const certificates = stack.use(makeCertificates(['localhost', ...hosts].map((host) => `DNS:${host}`).join()))
  const tlsPort = await freePort()
  const renamed = removed.flatMap((name) => ['--rename-command', name, ''])
  const options = [
    ...['--tls-port', `${tlsPort}`, ...certificates.options, '--tls-auth-clients', 'no', '--appendonly', 'no'],
    ...[...renamed, '--rename-command', 'ACL', aclName],
  ]
  const server: RedisServer | undefined = cluster ? await clusterServer(options) : await spawnRedisServer(...options)
  if (!server) throw new Error('no redis-server')
  stack.use(server)
  const admin = new Redis(server.port)
  stack.defer(() => admin.disconnect())
  if (cluster) await admin.cluster('ADDSLOTSRANGE', 0, 16_383)
  if (cluster) await until('the cluster to be up', async () => /state:ok/.test(await admin.cluster('INFO')))
  const extras = extrasOf(actors).map(allow)
  const rules = rulesFor(actors, { cluster, partitioned: cluster }).filter((rule) => !extras.includes(rule))
  await admin.call(aclName, 'SETUSER', 'orders', 'on', ...rules, '-@admin', '-@dangerous', info ? '+info' : '-info')

  const dir = mkdtempSync(join(tmpdir(), 'orders-test-managed-'))
  stack.use(removeOnExit(dir))
  const file = join(dir, 'token')
  let rotations = 0
  const rotate = async (): Promise<void> => {
    const password = `token-${++rotations}`
    await admin.call(aclName, 'SETUSER', 'orders', 'resetpass', `>${password}`)
    writeFileSync(`${file}.new`, `${password}\n`)
    renameSync(`${file}.new`, file)
    await admin.call('CLIENT', 'KILL', 'USER', 'orders')
  }
  await rotate()
  let longest = 0
  const monitor = await admin.monitor()
  stack.defer(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, words: string[], source: string) => {
    if (!source.startsWith('lua')) longest = Math.max(longest, words.length)
  })
  const urlAt = (host: string): string => `rediss://orders@${host}:${tlsPort}`
  const opened = stack.move()
  return {
    env: {
      REDIS_URL: urlAt('localhost'),
      REDIS_CA_FILE: certificates.caFile,
      REDIS_PASSWORD_FILE: file,
      ...(cluster && { REDIS_CLUSTER: 'true', PARTITIONS: '2' }),
    },
    urlAt,
    admin,
    rotate,
    maxRequest: () => longest,
    refused: async () => {
      const log = (await admin.call(aclName, 'LOG', '128')) as string[][]
      return log.filter(([, , , reason]) => reason !== 'auth').map((entry) => String(entry[7]))
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const clusterServer = (options: readonly string[]): Promise<RedisServer> =>
  spawnClusterServer(
    ...[...options, '--tls-cluster', 'yes'],
    ...['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'],
  )
