import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestHandler } from 'express'
import type { App } from '../app.ts'

/** A stopping process keeps answering until load balancers have learned from `/readyz` that it takes no more requests. */
type Stopping = Pick<App, 'config' | 'stopping'>

/** Returns a function that waits until DRAIN_MS after the stop request. It does not wait if there was none: the process failed. */
export function drained({ config, stopping }: Stopping): () => Promise<void> {
  let draining: Promise<void> | undefined
  const begin = (): void => {
    draining = sleep(config.drainMs)
  }
  if (stopping?.aborted) begin()
  else stopping?.addEventListener('abort', begin, { once: true })
  return async () => {
    stopping?.removeEventListener('abort', begin)
    await draining
  }
}

/** Makes clients with an open connection reconnect, which then leads to another process. */
export function closeConnections({ stopping }: Stopping): RequestHandler {
  return (_request, response, next) => {
    if (stopping?.aborted) response.set('connection', 'close')
    next()
  }
}
