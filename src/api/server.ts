import express, { type RequestHandler, Router } from 'express'
import type { App } from '../app.ts'
import { openQueues, type Queues } from '../control/job-queues.ts'
import type { Place } from '../stages/erasure/place.ts'
import { openShare } from './cached.ts'
import { dashboard } from './dashboard.ts'
import { docs } from './docs.ts'
import { auditWrites } from './http/audit.ts'
import { cors } from './http/cors.ts'
import { type Guard, jsonOnly, noOtherThanJson, openGuard } from './http/guard.ts'
import { handler } from './http/handler.ts'
import { onlyMethods, reading } from './http/methods.ts'
import { openApiDocument } from './http/openapi.ts'
import { openOutbox } from './http/outbox.ts'
import { type ApiContext, type Route, rightOf } from './http/route.ts'
import { openTurns } from './http/turns.ts'
import { bodyLimit } from './http/unreadable.ts'
import { type Live, openLive } from './live/events.ts'
import { openMetrics } from './metrics/metrics.ts'
import { openServer, type Server } from './open-server.ts'
import { amendOrder, cancelOrder, refundOrder } from './routes/corrections.ts'
import { dailyStats } from './routes/daily.ts'
import { redriveLetters } from './routes/dead-letters.ts'
import { eraseUser } from './routes/erase.ts'
import { livez, readyz } from './routes/health.ts'
import { integrity } from './routes/integrity.ts'
import { discardInvalid, invalidEntry, invalidOrders, invalidSummary, retryInvalid } from './routes/invalid.ts'
import { cancelRoute, job, replayOrders, reprocessOrder } from './routes/jobs.ts'
import { liveSnapshot } from './routes/live.ts'
import { auditTrail, drainRoute, pauseRoute, pausesRoute, resumeRoute } from './routes/pauses.ts'
import { userRank } from './routes/rank.ts'
import { globalStats, topUsers, userStats } from './routes/stats.ts'
import { orderTrace } from './routes/trace.ts'
import { runbook } from './runbook.ts'

/** Every route of the API. A new one is a file in routes/ and a line here. */
export const routes: readonly Route[] = [
  userStats,
  userRank,
  eraseUser,
  dailyStats,
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
  cancelOrder,
  refundOrder,
  amendOrder,
  redriveLetters,
  job,
  cancelRoute,
  pausesRoute,
  pauseRoute,
  resumeRoute,
  drainRoute,
  auditTrail,
  livez,
  readyz,
]

/** Pages behind the guard that are not in the list of routes: their path, and the router that serves them. */
export interface AdminPart {
  readonly path: string
  /**
   * Makes the router at the first request.
   * @param basePath where a proxy serves the API
   */
  router(queues: Queues, basePath: string): Promise<Router>
}

/** @throws OrdersError ORD_PORT_TAKEN */
export async function openApi(
  app: App,
  adminParts: readonly AdminPart[] = [],
  archive: Place | undefined = undefined,
): Promise<Server> {
  const guard = openGuard(app)
  const port = { variable: 'API_PORT', port: app.config.apiPort } as const
  const server = await openServer(app, port, (base, stack) => {
    const live = openLive(base, (request) => guard.isOpen(request, 'orders'))
    const context: ApiContext = {
      ...base,
      queues: stack.use(openQueues(base.redis)),
      snapshot: live.snapshot,
      turns: openTurns(),
      archive,
      share: openShare(() => context),
    }
    const router = Router()
    router.use(guard.host, cors(app.config.apiCorsOrigins ?? []))
    servePages(router, context, live)
    serveParts(router, context, guard, adminParts)
    serveRoutes(router, context, guard)
    for (const path of readPaths) router.all(path, onlyMethods(context, reading))
    return { router, end: live.end }
  })
  if (app.config.adminTokens === undefined) {
    app.telemetry.emit('adminOpenOnLoopback', {
      note: app.trustsThisMachine
        ? 'ADMIN_TOKEN is not set: requests from this machine may write. Set it before you put a proxy in front.'
        : 'ADMIN_TOKEN is not set: no client may write or see the admin pages. Set one of 16 characters or more.',
    })
  }
  return server
}

/** Serves everything outside the list of routes. */
function servePages(router: Router, context: ApiContext, live: Live): void {
  // Before the routers of these paths, which would answer it themselves and differently.
  for (const path of readPaths) router.options(path, onlyMethods(context, reading))
  const document = openApiDocument(routes)
  router.use(dashboard(context.config))
  router.use(docs())
  router.use(runbook())
  router.head('/live', (_request, response) => void response.type('text/event-stream').end())
  router.get('/live', live.events)
  router.get('/metrics', openMetrics(context, context.queues))
  router.get('/openapi.json', (_request, response) => {
    response.json(document)
  })
}

function serveParts(router: Router, context: ApiContext, guard: Guard, parts: readonly AdminPart[]): void {
  for (const part of parts) {
    const open = atFirstRequest(() => part.router(context.queues, context.config.apiBasePath))
    router.use(part.path, ...guard.for('admin', part.path), auditWrites(context), open)
  }
}

function serveRoutes(router: Router, context: ApiContext, guard: Guard): void {
  const options = { hasRight: guard.isOpen, send: openOutbox().send }
  for (const route of routes) {
    const before = [...guard.for(rightOf(route), route.path)]
    if (route.writes && !route.body) before.push(noOtherThanJson)
    if (route.body) before.push(jsonOnly, express.text({ type: 'application/json', limit: bodyLimit }))
    router[route.method](expressPath(route.path), ...before, handler(context, route, options))
    if (route === lastOf(routes, route.path))
      router.all(expressPath(route.path), onlyMethods(context, methodsOf(routes, route.path)))
  }
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

/** Paths outside the list of routes. */
const readPaths = ['/', '/live', '/metrics', '/openapi.json', '/docs', '/docs/init.js', '/redoc', '/runbook']

const methodsOf = (table: readonly Route[], path: string): string[] =>
  table.filter((route) => route.path === path).map(({ method }) => method)

/** Returns the last route of a path. Its 405 follows, before the next path that also matches, such as one with a parameter. */
const lastOf = (table: readonly Route[], path: string): Route | undefined =>
  table.findLast((route) => route.path === path)

function expressPath(path: string): string {
  return path.replaceAll('{', ':').replaceAll('}', '')
}
