import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { destination, pino } from 'pino'
import type { App } from '../app.ts'
import type { Config } from '../config.ts'
import { makeControlKeys, makePartitions } from '../keys.ts'
import { closeRedis, openRedis, type Patience } from '../redis.ts'
import { openTelemetry, type Telemetry } from '../telemetry.ts'
import { checkManifest, partitionsOf } from './manifest.ts'

/** @throws OrdersError when Redis does not answer, or was set up with other settings. */
export async function openApp(
  config: Config,
  patience: Patience = 'work',
  telemetry = logTo(config),
): Promise<App & AsyncDisposable> {
  const app = await connectApp(config, patience, telemetry)
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
export async function connectApp(
  config: Config,
  patience: Patience,
  telemetry = logTo(config),
): Promise<App & AsyncDisposable> {
  const isOne = !config.redisCluster && config.redisSentinels === undefined // else several may have to be asked
  const redis = await openRedis(config, patience, telemetry, patience === 'ask' && isOne ? askMs : undefined)
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

/** Who runs a command has an answer within two seconds, the time included to find out what is wrong. */
const askMs = 1_400

/** The events of this process, and the log that they are written to. */
export function logTo({ logLevel }: Config): Telemetry {
  const options = { level: logLevel, base: { pid: process.pid } }
  return openTelemetry(pino(options, process.stderr.isTTY ? forPeople : destination(2)))
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
