import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { makeControlKeys, makePartitions } from '../../keys.ts'
import { formatOf } from '../../order/format.ts'
import { closeRedis, openRedis, type Patience } from '../../redis/client.ts'
import { archive } from '../../stages/archive/archive.ts'
import { calendar } from '../../stages/calendar.ts'
import { pipeline } from '../../stages/pipeline.ts'
import type { Pipeline } from '../../stages/placed.ts'
import { openTelemetry, type Telemetry } from '../../telemetry.ts'
import { checkManifest } from '../manifest/check.ts'
import { partitionsOf } from '../manifest/settings.ts'
import type { OpenLog } from './log.ts'

/**
 * Opens an app and checks that Redis was set up with the same settings.
 * @param shared telemetry of the caller; without it the app opens its own
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
 * Opens an app without the check of the settings, to inspect a Redis that has other ones or none yet.
 * @throws OrdersError when Redis does not answer.
 */
export async function connectApp(
  config: Config,
  patience: Patience,
  shared?: Telemetry,
): Promise<App & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const telemetry = shared ?? stack.use(await openLogging(config)).telemetry
  const isOne = !config.redisCluster && config.redisSentinels === undefined // otherwise it may have to ask several servers
  const redis = await openRedis(config, patience, telemetry, patience === 'ask' && isOne ? askMs : undefined)
  stack.defer(() => closeRedis(redis))
  const partitions = makePartitions(partitionsOf(config))
  const opened = stack.move()
  return {
    config,
    format: formatOf(config),
    redis,
    telemetry,
    pipeline: pipelineFor(config),
    partitions,
    control: makeControlKeys(partitions),
    instance: `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`,
    now: () => new Date(),
    pulse: new Map(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Leaves out the observers that are switched off. */
function pipelineFor({ calendar: isDated, archiveUrl }: Config): Pipeline {
  const dated = isDated === 'on' ? pipeline : pipeline.without(calendar.name)
  return archiveUrl === undefined ? dated.without(archive.name) : dated
}

/** Leaves a command time to find the cause and to answer within two seconds. */
const askMs = 1_400

/**
 * Opens telemetry that logs on standard error. With LOG_LEVEL=silent the logger is not even loaded.
 * @param open opens another log than standard error
 */
export async function openLogging(config: Config, open?: OpenLog): Promise<Disposable & { telemetry: Telemetry }> {
  if (config.logLevel === 'silent') return { telemetry: openTelemetry(), [Symbol.dispose]: () => {} }
  const [{ openLogged }, { openLog }] = await Promise.all([import('./logging.ts'), import('./log.ts')])
  return openLogged(config, open ?? openLog)
}
