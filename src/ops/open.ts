import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { destination, pino } from 'pino'
import type { App } from '../app.ts'
import type { Config } from '../config.ts'
import { OrdersError } from '../errors.ts'
import { makeControlKeys, makePartitions, manifestKey } from '../keys.ts'
import { closeRedis, openRedis, type Patience, type RedisClient, safeUrl } from '../redis.ts'
import { openTelemetry } from '../telemetry.ts'

/** @throws OrdersError when Redis does not answer, or was set up with other settings. */
export async function openApp(config: Config, patience: Patience = 'work'): Promise<App & AsyncDisposable> {
  const app = await connectApp(config, patience)
  try {
    await checkManifest(app.redis, config)
    return app
  } catch (error) {
    await app[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * An app whose Redis may have been set up with other settings, or not yet: to look, and not to work.
 * @throws OrdersError when Redis does not answer.
 */
export async function connectApp(config: Config, patience: Patience): Promise<App & AsyncDisposable> {
  const log = pino(
    { level: config.logLevel, base: { pid: process.pid } },
    process.stderr.isTTY ? forPeople : destination(2),
  )
  const telemetry = openTelemetry(log)
  const redis = await openRedis(config, patience, telemetry)
  const partitions = makePartitions(partitionsOf(config))
  return {
    config,
    redis,
    telemetry,
    partitions,
    control: makeControlKeys(partitions),
    instance: `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`,
    now: () => new Date(),
    pulse: new Map(),
    [Symbol.asyncDispose]: async () => closeRedis(redis),
  }
}

/** On a cluster the keys of a script must share a slot: even one partition has a tag there. */
const partitionsOf = ({ partitions, redisCluster }: Config): number | undefined =>
  partitions ?? (redisCluster ? 1 : undefined)

/** On a terminal a line is read by a person: time, event, and what it carries. */
const forPeople = {
  write: (line: string): void => {
    const { level: _, time, pid: __, msg, ...fields } = JSON.parse(line)
    const told = Object.entries(fields).map(
      ([name, value]) => `${name}: ${Array.isArray(value) ? value.join(' ') : value}`,
    )
    process.stderr.write(
      `${new Date(time).toLocaleTimeString('en-GB')} ${msg}${told.length > 0 ? ` (${told.join(', ')})` : ''}\n`,
    )
  },
}

/**
 * The ledger would forget what it has if a process looked elsewhere for it: the first process to start decides. Only what
 * is missing is written: a full Redis takes no writes, and it is the stages that make room.
 */
async function checkManifest(redis: RedisClient, config: Config): Promise<void> {
  const manifest = await redis.hgetall(manifestKey)
  const missing = Object.entries(fixedSettings(config)).filter(([name]) => !(name in manifest))
  await Promise.all(missing.map(([name, value]) => redis.hsetnx(manifestKey, name, value)))
  const [conflict] = await manifestConflicts(redis, config)
  if (conflict) throw new OrdersError('ORD_MANIFEST', conflict)
}

/** Where Redis was set up with other settings than this process has, a sentence each; none before it is set up. */
export async function manifestConflicts(redis: RedisClient, config: Config): Promise<string[]> {
  const manifest = await redis.hgetall(manifestKey)
  return Object.entries(fixedSettings(config)).flatMap(([name, value]) => {
    const fixed = manifest[name] ?? String(value)
    const told = `Redis at ${safeUrl(config)} was set up with ${name}=${fixed}, this process has ${value}`
    return fixed === String(value) ? [] : `${told}: set ${name}=${fixed}.`
  })
}

const fixedSettings = (config: Config) => ({
  LEDGER_DAYS: config.ledgerDays,
  LEDGER_BUCKETS: config.ledgerBuckets,
  PARTITIONS: partitionsOf(config) ?? 'none',
})
