import { setTimeout as sleep } from 'node:timers/promises'
import { awaitingRedis } from '../../api/metrics/redis.ts'
import { openWaiting } from '../../api/waiting.ts'
import type { App } from '../../app.ts'
import type { Config } from '../../config/config.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import type { OpenLog } from './log.ts'
import { openApp, openLogging } from './open-app.ts'
import { portOf } from './port-of.ts'

/** Time between two tries. */
const retryMs = 250

/**
 * Opens an app for a process that runs roles. Redis may start later than this process: it is waited for, START_WAIT_MS at
 * most. Meanwhile the port says that this process is alive and not ready.
 * @throws OrdersError ORD_REDIS_UNREACHABLE after that time; any error that is not transient at once.
 */
export async function openOnceUp(
  config: Config,
  roles: readonly string[],
  signal: AbortSignal,
  openLog?: OpenLog,
): Promise<App & AsyncDisposable> {
  const deadline = performance.now() + config.startWaitMs
  await using stack = new AsyncDisposableStack()
  using logging = new DisposableStack()
  const { telemetry } = logging.use(await openLogging(config, openLog))
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      const app = await untilAborted(openApp(config, 'work', telemetry), signal)
      const log = logging.move()
      const close = async (): Promise<void> => {
        await app[Symbol.asyncDispose]()
        log.dispose()
      }
      return { ...app, [Symbol.asyncDispose]: close }
    } catch (error) {
      if (!mayPass(error) || performance.now() >= deadline) throw error
      if (tries === 1) {
        const url = await answerMeanwhile(config, roles, stack)
        telemetry.emit('waiting', { error: messageOf(error), maxMs: config.startWaitMs, ...(url && { url }) })
      }
    }
    await sleep(Math.min(retryMs, Math.max(0, deadline - performance.now())), undefined, { signal })
  }
}

const mayPass = (error: unknown): boolean => error instanceof OrdersError && error.code === 'ORD_REDIS_UNREACHABLE'

/** Serves "alive, not ready" on the port of the later server. Returns its URL, or undefined if this process has no port. */
async function answerMeanwhile(
  config: Config,
  roles: readonly string[],
  stack: AsyncDisposableStack,
): Promise<string | undefined> {
  const port = portOf(config, roles)
  if (port === undefined) return undefined
  const detail = 'Redis does not answer yet: this process waits for it.'
  return stack.use(await openWaiting(config, port, detail, awaitingRedis)).url
}

/** Waits for an app to open, until the signal aborts. An app that opens later is closed again. */
async function untilAborted<T extends AsyncDisposable>(opening: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([opening, aborted.promise])
  } catch (error) {
    opening.then((late) => late[Symbol.asyncDispose]()).catch(() => {})
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
