import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { destination, pino } from 'pino'
import type { App } from '../app.ts'
import type { Config } from '../config.ts'
import { OrdersError } from '../errors.ts'
import { makeKeys, manifestKey } from '../keys.ts'
import { closeRedis, openRedis, type Patience, type RedisClient, safeUrl } from '../redis.ts'
import { openTelemetry } from '../telemetry.ts'

/** @throws OrdersError when Redis does not answer, or was set up with other settings. */
export async function openApp(config: Config, patience: Patience = 'work'): Promise<App & AsyncDisposable> {
  const log = pino(
    { level: config.logLevel, base: { pid: process.pid } },
    process.stderr.isTTY ? forPeople : destination(2),
  )
  const telemetry = openTelemetry(log)
  const redis = await openRedis(config, patience, telemetry)
  const close = async (): Promise<void> => closeRedis(redis)
  try {
    await checkManifest(redis, config)
  } catch (error) {
    await close()
    throw error
  }
  return {
    config,
    redis,
    telemetry,
    // On a cluster the keys of a script must share a slot: all of them carry the tag of one partition.
    keys: config.redisCluster ? makeKeys(0) : makeKeys(),
    instance: `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`,
    now: () => new Date(),
    pulse: new Map(),
    [Symbol.asyncDispose]: close,
  }
}

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

/** The ledger would forget what it has if a process looked elsewhere for it: the first process to start decides. */
async function checkManifest(redis: RedisClient, config: Config): Promise<void> {
  const settings = { LEDGER_DAYS: config.ledgerDays, LEDGER_BUCKETS: config.ledgerBuckets }
  for (const [name, value] of Object.entries(settings)) {
    await redis.hsetnx(manifestKey, name, value)
    const fixed = await redis.hget(manifestKey, name)
    if (fixed === String(value)) continue
    const told = `Redis at ${safeUrl(config)} was set up with ${name}=${fixed}, this process has ${value}`
    throw new OrdersError('ORD_MANIFEST', `${told}: set ${name}=${fixed}.`)
  }
}
