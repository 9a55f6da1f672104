import { Redis } from 'ioredis'
import { freePort, type RedisServer, spawnRedisServer } from './redis-server.ts'
import { until } from './until.ts'

/** A server of a cluster, with a connection to it that comes back when it does. */
export interface RedisNode extends RedisServer {
  readonly redis: Redis
}

/** A Redis Cluster of a test's own, whose servers can be killed and started again at will. */
export interface RedisCluster extends AsyncDisposable {
  /** All nodes. */
  readonly url: string
  readonly nodes: readonly RedisNode[]
  /** The first node: of a cluster of one, all there is. */
  readonly node: Redis
  /** The node that holds a key's slot, as most nodes see it. */
  masterOf(key: string): Promise<RedisNode>
  /** Moves a key's slot, with all that is in it, to another master, while others use it. */
  moveSlot(key: string, to: RedisNode): Promise<void>
  /** Resolves when every node that runs sees all slots served, and every replica that runs follows its master. */
  settled(): Promise<void>
}

const slots = 16_384
/** A master is taken for dead after so long, and its replica in its place soon after. */
const nodeTimeoutMs = 2_000

/** Slots are shared out evenly among the masters; each has as many replicas. */
export async function spawnRedisCluster({ masters = 1, replicas = 0 } = {}): Promise<RedisCluster> {
  await using stack = new AsyncDisposableStack()
  const spawned = await Promise.all(Array.from({ length: masters * (1 + replicas) }, () => spawnNode()))
  const nodes = spawned.map((node) => stack.use(node))
  await Promise.all(
    nodes.slice(0, masters).map(async ({ redis }, at) => {
      const from = Math.ceil((slots * at) / masters)
      await redis.cluster('ADDSLOTSRANGE', from, Math.ceil((slots * (at + 1)) / masters) - 1)
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', at + 1) // else they agree on it one after the other
    }),
  )
  const [first, ...others] = nodes as [ClusterNode, ...ClusterNode[]]
  for (const { port, busPort } of others) await first.redis.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
  await until('all nodes to know each other', () => everyInfo(nodes, `cluster_known_nodes:${nodes.length}`))
  await Promise.all(
    nodes.slice(masters).map(async ({ redis }, at) => {
      const id = await (nodes[at % masters] as ClusterNode).redis.cluster('MYID')
      await redis.cluster('REPLICATE', id)
    }),
  )
  await settledAmong(nodes)
  const opened = stack.move()
  return {
    url: nodes.map(({ url }) => url).join(','),
    nodes,
    node: first.redis,
    masterOf: (key) => masterAmong(nodes, key),
    moveSlot: (key, to) => moveSlot(nodes, key, to),
    settled: () => settledAmong(nodes),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

interface ClusterNode extends RedisNode {
  readonly busPort: number
}

/** A bus port of its own: the usual one, 10,000 above the port, may be beyond the last one there is. */
export async function spawnClusterServer(...options: string[]): Promise<RedisServer & { readonly busPort: number }> {
  const busPort = await freePort()
  const own = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', `${busPort}`]
  const quick = ['--cluster-node-timeout', `${nodeTimeoutMs}`, '--repl-diskless-sync-delay', '0']
  const server = await spawnRedisServer(...own, ...quick, ...options)
  if (!server) throw new Error('no redis-server')
  return { ...server, busPort }
}

async function spawnNode(): Promise<ClusterNode> {
  const server = await spawnClusterServer()
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  redis.on('error', () => {})
  const close = async (): Promise<void> => {
    redis.disconnect()
    await server.stop('SIGKILL') // its data is not needed, and a cluster takes long to take leave
    await server[Symbol.asyncDispose]()
  }
  const start = async (): Promise<void> => {
    await server.start()
    await redis.ping()
  }
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await server.stop(signal)
    await until('the connection to be closed', () => redis.status !== 'ready') // what is asked on it waits for a start
  }
  return { ...server, redis, start, stop, [Symbol.asyncDispose]: close }
}

const running = (nodes: readonly ClusterNode[]): ClusterNode[] => nodes.filter(({ redis }) => redis.status === 'ready')

async function everyInfo(nodes: readonly ClusterNode[], line: string): Promise<boolean> {
  const infos = await Promise.all(running(nodes).map(({ redis }) => redis.cluster('INFO')))
  return infos.every((info) => info.includes(line))
}

async function settledAmong(nodes: readonly ClusterNode[]): Promise<void> {
  await until('every replica to follow its master', async () => {
    const infos = await Promise.all(running(nodes).map(({ redis }) => redis.info('replication')))
    return infos.every((info) => info.includes('role:master') || info.includes('master_link_status:up'))
  })
  await until('all nodes to agree who is who, and that who has slots runs', async () => {
    const seen = await Promise.all(running(nodes).map(({ redis }) => whoIsWho(redis)))
    const [[all, served] = []] = seen
    return served === true && seen.every(([other]) => other === all)
  })
  await until('the cluster to be up', () => everyInfo(nodes, 'cluster_state:ok'))
}

/** Returns what all nodes must report alike (ids, roles, masters), and whether those with slots are up. */
async function whoIsWho(redis: Redis): Promise<[all: string, served: boolean]> {
  const reported = String(await redis.cluster('NODES'))
  const rows = reported
    .trim()
    .split('\n')
    .map((row) => row.split(' '))
  const all = rows.map(([id, , flags = '', master]) => `${id} ${flags.replace('myself,', '')} ${master}`)
  const holders = rows.filter(([, , , , , , , , slots]) => slots !== undefined)
  return [all.sort().join('\n'), holders.every(([, , flags = '']) => /^(myself,)?master$/.test(flags))]
}

async function masterAmong(nodes: readonly ClusterNode[], key: string): Promise<RedisNode> {
  const held = await Promise.all(
    running(nodes).map(async (node) => {
      const isMaster = (await node.redis.info('replication')).includes('role:master')
      return isMaster &&
        (await node.redis.exists(key).then(
          () => true,
          () => false,
        ))
        ? [node]
        : []
    }),
  )
  const [node] = held.flat()
  if (!node) throw new Error(`no node has the slot of ${key}`)
  return node
}

/** As `redis-cli --cluster reshard` does it: a few keys at a time, so that what is asked meanwhile is sent to and fro. */
async function moveSlot(nodes: readonly ClusterNode[], key: string, to: RedisNode): Promise<void> {
  const from = await masterAmong(nodes, key)
  const slot = await to.redis.cluster('KEYSLOT', key)
  const [source, target] = await Promise.all([from, to].map(({ redis }) => redis.cluster('MYID')))
  await to.redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(source))
  await from.redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(target))
  for (;;) {
    const keys = (await from.redis.cluster('GETKEYSINSLOT', slot, 20)) as string[]
    if (keys.length === 0) break
    await from.redis
      .call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
      .catch(async (error: Error) => {
        // On a busy machine a node may take the others for dead for a moment. The keys are still at the source then.
        if (!error.message.includes('CLUSTERDOWN')) throw error
        await until('the cluster to be up', () => everyInfo(nodes, 'cluster_state:ok'))
      })
  }
  for (const { redis } of [to, from]) await redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(target))
}
