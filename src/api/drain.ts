import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestHandler } from 'express'
import type { App } from '../app.ts'

/** While a process stops, load balancers learn from `/readyz` that it takes no more requests. Until then it answers them. */
type Stopping = Pick<App, 'config' | 'stopping'>

/** Returns what resolves DRAIN_MS after the process was asked to stop, or at once where it was not: then it has failed. */
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

/** Has clients with an open connection come again on another, which leads to another process by then. */
export function closeConnections({ stopping }: Stopping): RequestHandler {
  return (_request, response, next) => {
    if (stopping?.aborted) response.set('connection', 'close')
    next()
  }
}
