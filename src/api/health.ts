import { Router } from 'express'
import type { App } from '../app.ts'
import { handler } from './http/handler.ts'
import { onlyMethods, reading } from './http/methods.ts'
import { openMetrics } from './metrics/metrics.ts'
import { openServer, type Server } from './open-server.ts'
import { livez, readyz } from './routes/health.ts'

/**
 * Opens the health port of a process without the API: health and metrics, nothing else.
 * @throws OrdersError ORD_PORT_TAKEN
 */
export async function openHealth(app: App): Promise<Server> {
  const port = { variable: 'METRICS_PORT', port: app.config.metricsPort ?? 0 } as const
  return openServer(app, port, (context) => {
    const router = Router()
    for (const route of [livez, readyz]) router.get(route.path, handler(context, route))
    router.get('/metrics', openMetrics(context))
    for (const path of ['/metrics', livez.path, readyz.path]) router.all(path, onlyMethods(context, reading))
    return { router }
  })
}
