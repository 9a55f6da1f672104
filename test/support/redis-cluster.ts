import { Redis } from 'ioredis'
import { type RedisServer, spawnRedisServer } from './redis-server.ts'
import { until } from './until.ts'

/** A Redis Cluster of one node that has all slots; `node` is a connection to it. */
export async function spawnRedisCluster(): Promise<RedisServer & { readonly node: Redis }> {
  const server = await spawnRedisServer('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
  if (!server) throw new Error('no redis-server')
  const node = new Redis(server.url)
  await node.cluster('ADDSLOTSRANGE', 0, 16_383)
  await until(
    'the cluster to be up',
    () => node.cluster('INFO'),
    (info) => info.includes('cluster_state:ok'),
  )
  const close = async (): Promise<void> => {
    node.disconnect()
    await server[Symbol.asyncDispose]()
  }
  return { ...server, node, [Symbol.asyncDispose]: close }
}
