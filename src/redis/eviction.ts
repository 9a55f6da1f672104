import { infoOf, mastersOf, type RedisClient } from './client.ts'

/** Whether a server throws keys away when it is full, and how many it has thrown away since it started. */
export interface Eviction {
  readonly server: string
  readonly policy: string
  /** Undefined where INFO is not allowed. */
  readonly evicted: number | undefined
}

/** What throws nothing away. */
export const noEviction = 'noeviction'

/** Of the server, or of a cluster every master; one that says nothing of it (INFO and CONFIG are not allowed) is left out. */
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
