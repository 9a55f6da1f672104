import { zoneName } from '../../calendar/zone.ts'
import type { Config } from '../../config/config.ts'
import { manifestKey } from '../../keys.ts'
import { currencyOf } from '../../order/currency.ts'
import { moneyOf } from '../../order/money.ts'
import type { RedisClient } from '../../redis/client.ts'
import { safeUrl } from '../../redis/endpoint.ts'

/** Returns the number of partitions. A cluster has at least one: the keys of a script must share a slot, hence a hash tag. */
export const partitionsOf = ({ partitions, redisCluster }: Config): number | undefined =>
  partitions ?? (redisCluster ? 1 : undefined)

/** The value of PARTITIONS in the manifest when key names are bare, and of CURRENCY when it is not set. */
export const bare = 'none'

/** Field → value: the settings that must not change, and an adoption or a repartition that is running. */
export type Manifest = Readonly<Record<string, string>>

const fixedSettings = (config: Config) => ({
  // The first to be written: with the others but without this one, Redis was set up by a release that did not know it.
  CURRENCY: config.currency?.code ?? bare,
  LEDGER_DAYS: config.ledgerDays,
  LEDGER_BUCKETS: config.ledgerBuckets,
  PARTITIONS: partitionsOf(config) ?? bare,
  // Another zone would put later orders of a day on another day. Without the calendar there are no days.
  ...(config.calendar === 'on' && { REPORT_TIMEZONE: config.reportTimezone }),
})

export async function readManifest(redis: RedisClient): Promise<Manifest> {
  const found = await redis.hgetall(manifestKey)
  return 'LEDGER_DAYS' in found ? { CURRENCY: bare, ...found } : found
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
    const advice = fixed === bare ? `unset ${name}, or start with an empty Redis` : `set ${name}=${fixed}`
    return isSame(name, fixed, String(value)) ? [] : `${conflict}: ${advice}.`
  })
}

/**
 * Without a currency amounts have two decimals: that agrees with every currency of as many. A zone may have been spelled by
 * another release of Node.
 */
function isSame(name: string, fixed: string, own: string): boolean {
  if (fixed === own) return true
  if (name === 'REPORT_TIMEZONE') return zoneName(fixed) === own
  return name === 'CURRENCY' && [fixed, own].includes(bare) && decimalsOf(fixed) === decimalsOf(own)
}

/** Returns undefined for a currency that this release does not know. */
const decimalsOf = (code: string): number | undefined =>
  code === bare ? moneyOf().decimals : currencyOf(code)?.decimals

/**
 * Names the currency of amounts that had none so far. Call it when there is no conflict. A full Redis takes no write, and
 * the process must start: then it is named later.
 */
export async function nameCurrency(redis: RedisClient, { currency }: Config, manifest: Manifest): Promise<void> {
  if (currency === undefined || manifest['CURRENCY'] !== bare) return
  await redis.hset(manifestKey, 'CURRENCY', currency.code).catch(() => {})
}

/**
 * Returns the configuration with the settings that Redis was set up with, if it was: the names and the expiry of the
 * ledger's keys depend on them, and the amounts.
 */
export async function withSettingsOf(redis: RedisClient, config: Config): Promise<Config> {
  const found = await readManifest(redis)
  const { LEDGER_DAYS: days, LEDGER_BUCKETS: buckets, CURRENCY: currency, REPORT_TIMEZONE: zone } = found
  return {
    ...config,
    ...(currency !== undefined && { currency: currencyOf(currency) }),
    ...(days !== undefined && { ledgerDays: Number(days) }),
    ...(buckets !== undefined && { ledgerBuckets: Number(buckets) }),
    ...(zone !== undefined && { reportTimezone: zone }),
  }
}

/** Returns the zone of the days in Redis; nothing before the calendar has begun. */
export async function zoneOf(redis: RedisClient): Promise<Partial<Pick<Config, 'reportTimezone'>>> {
  const found = await redis.hget(manifestKey, 'REPORT_TIMEZONE')
  return found === null ? {} : { reportTimezone: found }
}

/** Returns the number of partitions in Redis, or undefined before it is set up. */
export async function layoutOf(redis: RedisClient): Promise<number | typeof bare | undefined> {
  const found = await redis.hget(manifestKey, 'PARTITIONS')
  if (found === null) return undefined
  return found === bare ? bare : Number(found)
}
