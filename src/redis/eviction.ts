import type { RedisClient } from './client.ts'
import { mastersOf } from './cluster.ts'
import { infoOf } from './info.ts'

/** The eviction policy of a server, and the number of keys that it has evicted since it started. */
export interface Eviction {
  readonly server: string
  readonly policy: string
  /** Undefined if INFO is not allowed. */
  readonly evicted: number | undefined
}

/** The policy that evicts nothing. */
export const noEviction = 'noeviction'

/** Reads it from the server, or from every master of a cluster. Skips a server that allows neither INFO nor CONFIG. */
export async function readEviction(redis: RedisClient): Promise<Eviction[]> {
  const read = mastersOf(redis).map(async (master): Promise<Eviction[]> => {
    const info = infoOf([await master.info('memory').catch(() => ''), await master.info('stats').catch(() => '')])
    const policy = info('maxmemory_policy') ?? (await policyOf(master))
    const evicted = info('evicted_keys')
    const server = `${master.options.host}:${master.options.port}`
    return policy === undefined
      ? []
      : [{ server, policy, evicted: evicted === undefined ? undefined : Number(evicted) }]
  })
  return (await Promise.all(read)).flat()
}

async function policyOf(master: RedisClient): Promise<string | undefined> {
  const [, policy] = (await master.config('GET', 'maxmemory-policy').catch(() => [])) as string[]
  return policy
}
