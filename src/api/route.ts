import type { RequestHandler } from 'express'
import type { z } from 'zod'
import type { App } from '../app.ts'
import { messageOf } from '../errors.ts'
import type { RedisClient } from '../redis.ts'
import { type Problem, problemOf, problemType, unprocessable } from './problem.ts'

/** What a route may use: the app, and a connection that answers within two seconds or fails. */
export interface ApiApp extends App {
  readonly ask: RedisClient
}

/**
 * One declaration of a route; from it come the Express handler, the 422s, the checked reply and the OpenAPI document.
 * `handle` returns the reply, or says with `jsonText` or `refuse` that it is something else.
 */
export interface Route<
  P extends z.ZodObject = z.ZodObject,
  Q extends z.ZodObject = z.ZodObject,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'get'
  /** As OpenAPI writes it: `/users/{user_id}/stats`. */
  readonly path: string
  readonly summary: string
  readonly params: P
  readonly query: Q
  readonly reply: R
  /** Errors it can refuse with, beside 422 and those of every route: status and when. */
  readonly refusals?: Readonly<Record<number, string>>
  handle(app: ApiApp, request: { params: z.output<P>; query: z.output<Q> }): Promise<z.input<R> | Special>
}

export function defineRoute<P extends z.ZodObject, Q extends z.ZodObject, R extends z.ZodType>(
  route: Route<P, Q, R>,
): Route {
  return route as unknown as Route
}

const special = Symbol('special')
export type Special = { readonly [special]: { readonly text: string } | { readonly problem: Problem } }

/** A reply that is JSON text already; it is sent as it is. */
export const jsonText = (text: string): Special => ({ [special]: { text } })
export const refuse = (status: number, detail: string): Special => ({
  [special]: { problem: problemOf(status, detail) },
})

export function handler(app: ApiApp, route: Route): RequestHandler {
  return async (request, response) => {
    const started = performance.now()
    const { status, type, body } = await answer(app, route, request)
    response.status(status).type(type).send(body)
    const durationMs = Math.round(performance.now() - started)
    app.telemetry.emit('request', { method: request.method, route: route.path, status, durationMs })
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

async function answer(app: ApiApp, route: Route, request: { params: object; query: object }): Promise<Answer> {
  const params = route.params.safeParse(request.params)
  if (!params.success) return problemAnswer(unprocessable(params.error))
  const query = route.query.safeParse(request.query)
  if (!query.success) return problemAnswer(unprocessable(query.error))
  try {
    const reply = await route.handle(app, { params: params.data, query: query.data })
    if (!isSpecial(reply))
      return { status: 200, type: 'application/json', body: JSON.stringify(route.reply.parse(reply)) }
    const other = reply[special]
    return 'text' in other ? { status: 200, type: 'application/json', body: other.text } : problemAnswer(other.problem)
  } catch (error) {
    app.telemetry.emit('requestFailed', { method: route.method, route: route.path, error: messageOf(error) })
    return problemAnswer(failure(error))
  }
}

function isSpecial(reply: unknown): reply is Special {
  return typeof reply === 'object' && reply !== null && special in reply
}

function problemAnswer(problem: Problem): Answer {
  return { status: problem.status, type: problemType, body: JSON.stringify(problem) }
}

/** What ioredis says when Redis is away. */
const away = /Command timed out|Connection is closed|max retries per request|ECONN|LOADING/

export function failure(error: unknown): Problem {
  if (away.test(messageOf(error))) return problemOf(503, 'Redis does not answer: try again in a moment.')
  return problemOf(500, 'This is a fault of the server; its log says more.')
}
