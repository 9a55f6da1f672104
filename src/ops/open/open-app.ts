import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { pino } from 'pino'
import type { App } from '../../app.ts'
import type { Config } from '../../config.ts'
import { makeControlKeys, makePartitions } from '../../keys.ts'
import { closeRedis, openRedis, type Patience } from '../../redis/client.ts'
import { openTelemetry, type Telemetry } from '../../telemetry.ts'
import { checkManifest, partitionsOf } from '../manifest.ts'
import { escapeJson, printable } from '../terminal/printable.ts'
import { openLog } from './log.ts'

/**
 * @param shared telemetry of the caller's; without it the app opens its own
 * @throws OrdersError when Redis does not answer, or was set up with other settings.
 */
export async function openApp(
  config: Config,
  patience: Patience = 'work',
  shared?: Telemetry,
): Promise<App & AsyncDisposable> {
  const app = await connectApp(config, patience, shared)
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
  shared?: Telemetry,
): Promise<App & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const telemetry = shared ?? stack.use(openLogging(config)).telemetry
  const isOne = !config.redisCluster && config.redisSentinels === undefined // else several may have to be asked
  const redis = await openRedis(config, patience, telemetry, patience === 'ask' && isOne ? askMs : undefined)
  stack.defer(() => closeRedis(redis))
  const partitions = makePartitions(partitionsOf(config))
  const opened = stack.move()
  return {
    config,
    redis,
    telemetry,
    partitions,
    control: makeControlKeys(partitions),
    instance: `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`,
    now: () => new Date(),
    pulse: new Map(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Who runs a command has an answer within two seconds, the time included to find out what is wrong. */
const askMs = 1_400

/** Opens telemetry that is logged on standard error. */
export function openLogging({ logLevel }: Config): Disposable & { telemetry: Telemetry } {
  const log = openLog((lines) => telemetry.emit('logBack', { lines }))
  const shown = process.stderr.isTTY ? (line: string): string => printable(forPeople(line)) : escapeJson
  const write = (line: string): void => log.write(`${shown(line.trimEnd())}\n`)
  const telemetry = openTelemetry(pino({ level: logLevel, base: { pid: process.pid } }, { write }), log.dropped)
  return { telemetry, [Symbol.dispose]: () => log[Symbol.dispose]() }
}

/** On a terminal a line is read by a person: time, event, and what it carries. */
function forPeople(line: string): string {
  const { level: _, time, pid: __, msg, ...fields } = JSON.parse(line)
  const told = Object.entries(fields).map(
    ([name, value]) => `${name}: ${Array.isArray(value) ? value.join(' ') : value}`,
  )
  return `${new Date(time).toLocaleTimeString('en-GB')} ${msg}${told.length > 0 ? ` (${told.join(', ')})` : ''}`
}
