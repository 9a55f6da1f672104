import { randomUUID } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import { type Telemetry, withFields } from '../telemetry.ts'

/** The header that names a request: its reply, the body of a problem and the log lines have the same id. */
export const requestIdHeader = 'x-request-id'

/** The ids that proxies, clients and traces make, and nothing that a log or a terminal could take for more. */
const wellFormed = /^[\w.:+/=@-]{1,128}$/

/** Returns the id that a client has sent, or a new one. */
export const requestIdFrom = (sent: unknown): string =>
  typeof sent === 'string' && wellFormed.test(sent) ? sent : randomUUID()

/** Names a request, and remembers when it came. */
export const identify: RequestHandler = (request, response, next) => {
  const id = requestIdFrom(request.headers[requestIdHeader])
  request.headers[requestIdHeader] = id
  response.set(requestIdHeader, id)
  response.locals['startedAt'] = performance.now()
  next()
}

export const requestIdOf = ({ headers }: Pick<Request, 'headers'>): string => String(headers[requestIdHeader] ?? '')

/** The fields of a log line about a request. */
export interface RequestFields {
  readonly method: string
  /** As the routes are declared, so without ids; `-` for any other path. */
  readonly route: string
  readonly status: number
  readonly durationMs: number
  readonly requestId: string
}

export function requestFields(request: Request, response: Response, route: string): RequestFields {
  const now = performance.now()
  const { startedAt = now } = response.locals
  const { method } = request
  return { method, route, status: response.statusCode, durationMs: now - startedAt, requestId: requestIdOf(request) }
}

/** Returns telemetry that adds the id of the request to every event. */
export const identified = (telemetry: Telemetry, request: Request): Telemetry =>
  withFields(telemetry, { requestId: requestIdOf(request) })
