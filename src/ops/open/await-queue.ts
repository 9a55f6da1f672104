import { setTimeout as sleep } from 'node:timers/promises'
import { openWaiting } from '../../api/waiting.ts'
import type { App } from '../../app.ts'
import { messageOf } from '../../errors.ts'
import { mayPass } from '../../ingest/sqs/errors.ts'
import { inspectQueue } from '../../ingest/sqs/queue.ts'
import { portOf } from './port-of.ts'

/** Time between two tries. */
const retryMs = 500

/**
 * Waits until SQS answers, START_WAIT_MS at most. Only a process with a bridge needs this. From the first failure on, its
 * port says that it is alive and not ready; where SQS answers at once, the port opens once, and a probe never finds it closed
 * again. Returns at once on an error that is not transient, such as a refusal: the check at start reports it.
 * @throws OrdersError ORD_SQS when SQS has not answered by then
 */
export async function awaitQueue(app: App, roles: readonly string[], signal: AbortSignal): Promise<void> {
  const { config, telemetry } = app
  const deadline = performance.now() + config.startWaitMs
  const port = portOf(config, roles)
  await using stack = new AsyncDisposableStack()
  for (let tries = 1; ; tries++) {
    try {
      await inspectQueue(config, signal)
      return
    } catch (error) {
      signal.throwIfAborted()
      if (!mayPass(error)) return
      if (performance.now() >= deadline) throw error
      if (tries === 1) {
        const detail = 'SQS does not answer yet: this process waits for it.'
        const server = port && stack.use(await openWaiting(config, port, detail))
        const waits = { error: messageOf(error), maxMs: config.startWaitMs, ...(server && { url: server.url }) }
        telemetry.emit('waiting', waits)
      }
      await sleep(Math.min(retryMs, Math.max(0, deadline - performance.now())), undefined, { signal })
    }
  }
}
