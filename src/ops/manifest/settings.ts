import type { Config } from '../../config/config.ts'
import { manifestKey } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { safeUrl } from '../../redis/endpoint.ts'

/** Returns the number of partitions. A cluster has at least one: the keys of a script must share a slot, hence a hash tag. */
export const partitionsOf = ({ partitions, redisCluster }: Config): number | undefined =>
  partitions ?? (redisCluster ? 1 : undefined)

/** The value of PARTITIONS in the manifest when key names are bare. */
export const bare = 'none'

/** Field → value: the settings that must not change, and an adoption or a repartition that is running. */
export type Manifest = Readonly<Record<string, string>>

const fixedSettings = (config: Config) => ({
  LEDGER_DAYS: config.ledgerDays,
  LEDGER_BUCKETS: config.ledgerBuckets,
  PARTITIONS: partitionsOf(config) ?? bare,
})

export function readManifest(redis: RedisClient): Promise<Manifest> {
  return redis.hgetall(manifestKey)
}

/** Writes the missing settings. @returns those that this process has written */
export async function writeMissing(redis: RedisClient, config: Config, manifest: Manifest): Promise<string[]> {
  const missing = Object.entries(fixedSettings(config)).filter(([name]) => !(name in manifest))
  const written = missing.map(async ([name, value]) =>
    (await redis.hsetnx(manifestKey, name, value)) === 1 ? [`${name}=${value}`] : [],
  )
  return (await Promise.all(written)).flat()
}

/** Returns a sentence for each setting that differs from the one in Redis; none before Redis is set up. */
export async function manifestConflicts(redis: RedisClient, config: Config): Promise<string[]> {
  const manifest = await readManifest(redis)
  return Object.entries(fixedSettings(config)).flatMap(([name, value]) => {
    const fixed = manifest[name] ?? String(value)
    const conflict = `Redis at ${safeUrl(config)} was set up with ${name}=${fixed}, this process has ${value}`
    const advice = fixed === bare ? `unset ${name}` : `set ${name}=${fixed}`
    return fixed === String(value) ? [] : `${conflict}: ${advice}.`
  })
}

/**
 * Returns the configuration with the ledger settings that Redis was set up with, if it was. The names and the expiry of the
 * ledger's keys depend on them.
 */
export async function withLedgerOf(redis: RedisClient, config: Config): Promise<Config> {
  const { LEDGER_DAYS: days, LEDGER_BUCKETS: buckets } = await readManifest(redis)
  return {
    ...config,
    ...(days !== undefined && { ledgerDays: Number(days) }),
    ...(buckets !== undefined && { ledgerBuckets: Number(buckets) }),
  }
}

/** Returns the number of partitions in Redis, or undefined before it is set up. */
export async function layoutOf(redis: RedisClient): Promise<number | typeof bare | undefined> {
  const found = await redis.hget(manifestKey, 'PARTITIONS')
  if (found === null) return undefined
  return found === bare ? bare : Number(found)
}
