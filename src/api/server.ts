import { once } from 'node:events'
import express, { type ErrorRequestHandler, type RequestHandler, Router } from 'express'
import helmet from 'helmet'
import type { App } from '../app.ts'
import { openQueues, type Queues } from '../control/job-queues.ts'
import { messageOf } from '../errors.ts'
import { closeRedis, openRedis, secondConnection } from '../redis/client.ts'
import { dashboard } from './dashboard.ts'
import { docs } from './docs.ts'
import { closeConnections, drained } from './drain.ts'
import { failure } from './failure.ts'
import { auditWrites } from './http/audit.ts'
import { cors } from './http/cors.ts'
import { type Guard, jsonOnly, openGuard } from './http/guard.ts'
import { type ApiApp, handler, type Route, rightOf } from './http/handler.ts'
import { onlyMethods, reading } from './http/methods.ts'
import { openApiDocument } from './http/openapi.ts'
import { openOutbox } from './http/outbox.ts'
import { problemOf, sendProblem } from './http/problem.ts'
import { unreadable } from './http/unreadable.ts'
import { listening, type Port } from './listen.ts'
import { type Live, openLive } from './live/events.ts'
import { openMetrics } from './metrics/metrics.ts'
import { livez, readyz } from './routes/health.ts'
import { integrity } from './routes/integrity.ts'
import { discardInvalid, invalidEntry, invalidOrders, invalidSummary, retryInvalid } from './routes/invalid.ts'
import { job, replayOrders, reprocessOrder } from './routes/jobs.ts'
import { liveSnapshot } from './routes/live.ts'
import { userRank } from './routes/rank.ts'
import { globalStats, topUsers, userStats } from './routes/stats.ts'
import { auditTrail, drainRoute, pauseRoute, resumeRoute, steering } from './routes/steering.ts'
import { orderTrace } from './routes/trace.ts'

const health: readonly Route[] = [livez, readyz]
export const routes: readonly Route[] = [
  userStats,
  userRank,
  globalStats,
  topUsers,
  integrity,
  liveSnapshot,
  orderTrace,
  invalidOrders,
  invalidSummary,
  invalidEntry,
  retryInvalid,
  discardInvalid,
  reprocessOrder,
  replayOrders,
  job,
  steering,
  pauseRoute,
  resumeRoute,
  drainRoute,
  auditTrail,
  ...health,
]

export interface Server extends AsyncDisposable {
  readonly url: string
}

/** Something behind the guard that is no route of ours: where it stands, and what answers there. */
export interface AdminPart {
  readonly path: string
  /**
   * Is made at the first request.
   * @param basePath where a proxy serves the API
   */
  router(queues: Queues, basePath: string): Promise<Router>
}

/** @throws OrdersError ORD_PORT_TAKEN */
export async function openApi(app: App, adminParts: readonly AdminPart[] = []): Promise<Server> {
  const guard = openGuard(app)
  const server = await openServer(app, 'API_PORT', app.config.apiPort, guard, (api, live) => {
    const document = openApiDocument(routes)
    const web = Router()
    web.use(guard.host)
    web.use(cors(app.config.apiCorsOrigins ?? []))
    // Before the routers of these paths, which would answer it themselves and in another way.
    for (const path of readPaths) web.options(path, onlyMethods(api, reading))
    web.use(dashboard())
    web.use(docs())
    web.head('/live', (_request, response) => void response.type('text/event-stream').end())
    web.get('/live', live.events)
    web.get('/metrics', openMetrics(api, { whole: true }))
    web.get('/openapi.json', (_request, response) => {
      response.json(document)
    })
    for (const { path, router } of adminParts)
      web.use(
        path,
        ...guard.for('admin'),
        auditWrites({ ...api, redis: api.ask }),
        atFirstRequest(() => router(api.queues, app.config.apiBasePath)),
      )
    for (const route of routes) {
      const before = [...guard.for(rightOf(route))]
      if (route.body) before.push(jsonOnly, express.text({ type: 'application/json', limit: bodyLimit }))
      web[route.method](expressPath(route.path), ...before, handler(api, route, guard.isOpen))
      if (route === lastOf(routes, route.path))
        web.all(expressPath(route.path), onlyMethods(api, methodsOf(routes, route.path)))
    }
    for (const path of readPaths) web.all(path, onlyMethods(api, reading))
    return web
  })
  if (app.config.adminToken === undefined) {
    app.telemetry.emit('unguarded', {
      note: app.trustsThisMachine
        ? 'ADMIN_TOKEN is not set: requests of this machine may write; set it where a proxy stands in front.'
        : 'ADMIN_TOKEN is not set: nobody may write or see the admin part; set one of 16 characters or more.',
    })
  }
  return server
}

function atFirstRequest(make: () => Promise<Router>): RequestHandler {
  let made: Promise<Router> | undefined
  return async (request, response, next) => {
    made ??= make().catch((error) => {
      made = undefined // the next request tries again
      throw error
    })
    const router = await made
    router(request, response, next)
  }
}

/** What SQS takes as a message. */
const bodyLimit = '1mb'

/** Health and metrics alone, for processes without the API. */
export async function openHealth(app: App): Promise<Server> {
  return openServer(app, 'METRICS_PORT', app.config.metricsPort ?? 0, openGuard(app), (api) => {
    const web = Router()
    for (const route of health) web[route.method](expressPath(route.path), handler(api, route))
    web.get('/metrics', openMetrics(api, { whole: false }))
    for (const path of ['/metrics', ...health.map(({ path }) => path)]) web.all(path, onlyMethods(api, reading))
    return web
  })
}

type Build = (api: ApiApp, live: Live) => Router

async function openServer(
  app: App,
  variable: Port['variable'],
  port: number,
  guard: Guard,
  build: Build,
): Promise<Server> {
  await using stack = new AsyncDisposableStack()
  const ask = await openRedis(app.config, 'ask', app.telemetry)
  stack.defer(() => closeRedis(ask))
  const probe = stack.use(secondConnection(ask))
  const web = express()
  web.disable('x-powered-by')
  web.use(
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy },
      strictTransportSecurity: false, // for whoever ends TLS in front of this to say
    }),
  )
  web.use(closeConnections(app))
  const queues = stack.use(openQueues(ask))
  const live = openLive({ ...app, redis: ask }, (request) => guard.isOpen(request, 'orders'))
  const built = build({ ...app, ask, probe, queues, outbox: openOutbox(), snapshot: live.snapshot }, live)
  web.use(built)
  if (app.config.apiBasePath) web.use(app.config.apiBasePath, built)
  web.use(notFound(app), failed(app))
  const server = web.listen(port, app.config.apiHost).setTimeout(stuckMs)
  const url = await listening(server, app.config, { variable, port })
  const drain = drained(app)
  stack.defer(async () => {
    await drain()
    const closed = once(server, 'close')
    live.end()
    server.close()
    server.closeIdleConnections()
    const cut = setTimeout(() => server.closeAllConnections(), lastRequestMs)
    await closed
    clearTimeout(cut)
  })
  app.telemetry.emit('ready', { url })
  const closing = stack.move()
  return { url, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

/** A connection on which nothing has moved for so long is cut: a reader that takes nothing holds what it was sent. */
const stuckMs = 60_000

/** What a stop leaves requests in hand. */
const lastRequestMs = 1_000

/** Nothing from elsewhere. Swagger UI styles its elements inline and draws with data: images. */
const contentSecurityPolicy = {
  defaultSrc: ["'self'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  objectSrc: ["'none'"],
  baseUri: ["'self'"],
  frameAncestors: ["'none'"],
  formAction: ["'self'"],
}

function notFound({ telemetry }: App): RequestHandler {
  return (request, response) => {
    sendProblem(response, problemOf(404, `There is no ${request.method} ${request.path}: see /docs.`))
    telemetry.emit('request', { method: request.method, route: '-', status: 404, durationMs: 0 })
  }
}

/** What Express itself refuses (a path that is no UTF-8, say) is a fault of the request; anything else is one of ours. */
function failed(app: App): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const refused = unreadable(error, request)
    if (refused) return sendProblem(response, refused)
    app.telemetry.emit('requestFailed', { method: request.method, route: '-', error: messageOf(error) })
    sendProblem(response, failure(error))
  }
}

/** Paths that are no routes of the table. */
const readPaths = ['/', '/live', '/metrics', '/openapi.json', '/docs', '/docs/init.js', '/redoc']

const methodsOf = (table: readonly Route[], path: string): string[] =>
  table.filter((route) => route.path === path).map(({ method }) => method)

/** After it comes what a path does not have, and before the next path that fits too, such as one with a parameter. */
const lastOf = (table: readonly Route[], path: string): Route | undefined =>
  table.findLast((route) => route.path === path)

function expressPath(path: string): string {
  return path.replaceAll('{', ':').replaceAll('}', '')
}
