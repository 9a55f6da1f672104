import { once } from 'node:events'
import express, { type ErrorRequestHandler, type RequestHandler, type Router } from 'express'
import helmet from 'helmet'
import type { App } from '../app.ts'
import { messageOf } from '../errors.ts'
import { closeRedis, openRedis, secondConnection } from '../redis/client.ts'
import { closeConnections, drained } from './drain.ts'
import { failure } from './http/failure.ts'
import { problemOf, sendProblem } from './http/problem.ts'
import type { HealthContext } from './http/route.ts'
import { unreadable } from './http/unreadable.ts'
import { listening, type Port } from './listen.ts'
import { identify, requestFields } from './request-log.ts'
import { followSqs } from './sqs-check.ts'

export interface Server extends AsyncDisposable {
  readonly url: string
}

/** The site of a server. */
export interface Site {
  readonly router: Router
  /** Ends replies that do not end by themselves, before the server closes. */
  end?(): void
}

/**
 * Opens an HTTP server with the common parts: headers, problems, draining, and Redis connections of its own
 * that answer within two seconds.
 * @param build makes the site; it opens on the stack what closes with the server
 * @throws OrdersError ORD_PORT_TAKEN
 */
export async function openServer(
  app: App,
  port: Port,
  build: (context: HealthContext, stack: AsyncDisposableStack) => Site,
): Promise<Server> {
  await using stack = new AsyncDisposableStack()
  const redis = await openRedis(app.config, 'ask', app.telemetry)
  stack.defer(() => closeRedis(redis))
  const probe = stack.use(secondConnection(redis))
  const site = build({ ...app, redis, probe, sqs: followSqs(app.telemetry) }, stack)
  const server = webOf(app, site.router).listen(port.port, app.config.apiHost).setTimeout(stuckMs)
  const url = await listening(server, app.config, port)
  const drain = drained(app)
  stack.defer(async () => {
    await drain()
    const closed = once(server, 'close')
    site.end?.()
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

function webOf(app: App, router: Router): express.Express {
  const web = express()
  web.disable('x-powered-by')
  web.use(identify)
  web.use(
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy },
      strictTransportSecurity: false, // for the proxy that terminates TLS to decide
    }),
  )
  web.use(closeConnections(app))
  web.use(router)
  if (app.config.apiBasePath) web.use(app.config.apiBasePath, router)
  web.use(notFound(app), failed(app))
  return web
}

/** Cuts a connection that has been idle this long. A client that reads nothing would otherwise hold what it was sent. */
const stuckMs = 60_000

/** Time that requests in flight get when the server stops. */
const lastRequestMs = 1_000

/** Allows nothing from elsewhere. Swagger UI styles its elements inline and draws with data: images. */
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
    telemetry.emit('request', { ...requestFields(request, response, '-'), error: undefined })
  }
}

/** Blames the request for what Express itself refuses, such as a path that is not UTF-8, and the server for the rest. */
function failed(app: App): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const refused = unreadable(error, request)
    if (refused) return sendProblem(response, refused)
    const problem = failure(error)
    sendProblem(response, problem)
    const fields = requestFields(request, response, '-')
    if (problem.status === 503) app.telemetry.emit('request', { ...fields, error: problem.detail })
    else app.telemetry.emit('requestFailed', { ...fields, error: messageOf(error) })
  }
}
