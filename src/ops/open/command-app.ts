import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { formatOf } from '../../order/format.ts'
import type { Patience } from '../../redis/client.ts'
import { withRunning } from '../local/running-system.ts'
import { checkManifest } from '../manifest/check.ts'
import { withSettingsOf, zoneOf } from '../manifest/settings.ts'
import { connectApp } from './open-app.ts'

/**
 * Opens the app of a command. It logs nothing, replies within two seconds, and uses the system that runs in this folder
 * if no other one is configured.
 * Its days are those of the zone in Redis: a command counts nothing, so it needs no zone of its own.
 * @throws OrdersError when Redis does not answer, or was set up with other settings.
 */
export async function openCommandApp(config: Config): Promise<App & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const app = stack.use(await connectApp(commandConfig(config), 'ask'))
  const inZone = { ...app.config, ...(await zoneOf(app.redis)) }
  await checkManifest(app.redis, inZone)
  stack.move()
  return { ...app, config: inZone, format: formatOf(inZone) }
}

/**
 * Opens the same for a command that also works on a Redis with other settings, or with none yet. It takes those of the ledger
 * and of amounts from Redis.
 * @param patience `work` for a command with long scripts, which may be sent again
 * @throws OrdersError when Redis does not answer.
 */
export async function connectCommandApp(config: Config, patience: Patience = 'ask'): Promise<App & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const app = stack.use(await connectApp(commandConfig(config), patience))
  const ofRedis = await withSettingsOf(app.redis, app.config)
  stack.move()
  return { ...app, config: ofRedis, format: formatOf(ofRedis) }
}

const commandConfig = (config: Config): Config => ({ ...withRunning(config), logLevel: 'silent' })
