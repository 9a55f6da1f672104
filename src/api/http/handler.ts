import type { Request, RequestHandler } from 'express'
import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Queues } from '../../control/job-queues.ts'
import { messageOf } from '../../errors.ts'
import { parseStandardJson } from '../../identity.ts'
import type { RedisClient } from '../../redis/client.ts'
import { failure } from '../failure.ts'
import type { Right } from './access.ts'
import { auditRequest } from './audit.ts'
import type { Outbox } from './outbox.ts'
import { needsBody, type Problem, problemOf, problemType, unprocessable } from './problem.ts'

/** What a route may use: the app, and connections that answer within two seconds or fail. */
export interface ApiApp extends App {
  readonly ask: RedisClient
  /** Carries health checks alone: they wait for nobody else's replies. */
  readonly probe: RedisClient
  readonly queues: Queues
  readonly outbox: Outbox
  /** How the line stands, as JSON, with the names of operators or without (see live.ts). */
  readonly snapshot: (whole: boolean) => Promise<string>
}

type Shape = z.ZodObject

/**
 * One declaration of a route; from it come the Express handler, the 422s, the checked reply and the OpenAPI document.
 * `handle` returns the reply, or says with `jsonText` or `refuse` that it is something else. A route with a body
 * writes: it needs the right `admin` (see access.ts), and what it did is written into the audit.
 */
export interface Route<
  P extends Shape = Shape,
  Q extends Shape = Shape,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** As OpenAPI writes it: `/users/{user_id}/stats`. */
  readonly path: string
  readonly summary: string
  readonly params?: P
  readonly query?: Q
  /** Headers it reads: name and what for. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: B
  /** What a request must have a right to: `admin` where there is a body, else `numbers`, unless this says otherwise. */
  readonly right?: Right
  /** Writes its own entry into the audit, in one step with what it does. */
  readonly audited?: boolean
  readonly reply: R
  /** Headers of the reply: name and what for. */
  readonly replyHeaders?: Readonly<Record<string, string>>
  /** 200 where it is not given. */
  readonly status?: number
  /** Errors it can refuse with, beside those of every route: status and when. */
  readonly refusals?: Readonly<Record<number, string>>
  handle(app: ApiApp, call: Call<P, Q, B>): Promise<z.input<R> | Special>
}

export interface Call<P extends Shape = Shape, Q extends Shape = Shape, B extends z.ZodType = z.ZodType> {
  readonly params: z.output<P>
  readonly query: z.output<Q>
  readonly body: z.output<B>
  /** The body as it was sent. */
  readonly text: string
  /** The address it comes from; clients behind a proxy have one. */
  readonly client: string
  /** Aborts when the client leaves before it has the reply. */
  readonly signal: AbortSignal
  header(name: string): string | undefined
  /** Whether it has this right too, without a token. */
  has(right: Right): boolean
}

export function defineRoute<P extends Shape, Q extends Shape, B extends z.ZodType, R extends z.ZodType>(
  route: Route<P, Q, B, R>,
): Route {
  return route as unknown as Route
}

const special = Symbol('special')
export type Special = {
  readonly [special]: ({ readonly text: string } | { readonly problem: Problem }) & { readonly headers: Headers }
}

type Headers = Readonly<Record<string, string>>

/** A reply that is JSON text already; it is sent as it is. */
export const jsonText = (text: string, headers: Headers = {}): Special => ({ [special]: { text, headers } })
export const refuse = (status: number, detail: string, headers: Headers = {}): Special => ({
  [special]: { problem: problemOf(status, detail), headers },
})

export const rightOf = ({ body, right }: Route): Right => right ?? (body ? 'admin' : 'numbers')

/** Whether a request has a right without a token. */
type HasRight = (request: Request, right: Right) => boolean

export function handler(app: ApiApp, route: Route, hasRight: HasRight = () => false): RequestHandler {
  return async (request, response) => {
    const started = performance.now()
    const left = new AbortController()
    response.once('close', () => left.abort())
    const answered = await answer(app, route, request, { hasRight, signal: left.signal })
    const { status, type, body, headers } = answered
    response.status(status).set(headers).type(type)
    if (!app.outbox.send(response, body)) {
      for (const name of Object.keys(headers)) response.removeHeader(name)
      const full = problemAnswer(problemOf(503, 'Too many long replies wait for their readers: try again in a moment.'))
      response.status(full.status).type(full.type).send(full.body)
    }
    const durationMs = Math.round(performance.now() - started)
    app.telemetry.emit('request', { method: request.method, route: route.path, status, durationMs })
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers: Headers
}

/** For the log: nobody gets it. nginx says the same. */
const clientLeft = problemOf(499, 'The client left before it had the reply.')

interface Client {
  readonly hasRight: HasRight
  readonly signal: AbortSignal
}

async function answer(app: ApiApp, route: Route, request: Request, { hasRight, signal }: Client): Promise<Answer> {
  const read = readCall(route, request)
  if ('title' in read) return problemAnswer(read)
  const call = {
    ...read,
    client: request.socket.remoteAddress ?? '',
    signal,
    has: (right: Right) => hasRight(request, right),
  }
  if (!route.body || route.audited) return carryOut(app, route, call)
  const { method, path } = route
  const asked = { action: `${method.toUpperCase()} ${path}`, where: { params: request.params }, body: read.sent }
  const begun = await auditRequest({ ...app, redis: app.ask }, request, asked, call.text)
  const answered = await carryOut(app, route, call)
  const isRefused = answered.status >= 400 && answered.status < 500
  await (isRefused ? begun.cancel() : begun.end(String(answered.status)))
  return answered
}

async function carryOut(app: ApiApp, route: Route, call: Call): Promise<Answer> {
  const status = route.status ?? 200
  try {
    const reply = await route.handle(app, call)
    if (!isSpecial(reply)) return jsonAnswer(status, JSON.stringify(route.reply.parse(reply)))
    const { headers, ...other } = reply[special]
    return { ...('text' in other ? jsonAnswer(status, other.text) : problemAnswer(other.problem)), headers }
  } catch (error) {
    if (call.signal.aborted && error === call.signal.reason) return problemAnswer(clientLeft)
    const problem = failure(error)
    const told = problem.status === 503 ? problem.detail : messageOf(error)
    app.telemetry.emit('requestFailed', { method: route.method, route: route.path, error: told })
    return problemAnswer(problem)
  }
}

const nothing = z.object({})

/** @returns also the body as JSON, whatever the route makes of it */
function readCall(
  route: Route,
  request: Request,
): (Omit<Call, 'has' | 'signal' | 'client'> & { sent?: unknown }) | Problem {
  const params = (route.params ?? nothing).safeParse(request.params)
  if (!params.success) return unprocessable(params.error)
  const query = (route.query ?? nothing).safeParse(request.query)
  if (!query.success) return unprocessable(query.error)
  const text = typeof request.body === 'string' ? request.body : ''
  const header = (name: string): string | undefined => request.get(name)
  const call = { params: params.data, query: query.data, text, header }
  if (!route.body) return { ...call, body: undefined }
  const body = parseBody(route.body, text)
  return 'title' in body ? body : { ...call, body: body.data, sent: body.sent }
}

function parseBody(schema: z.ZodType, text: string): { data: unknown; sent: unknown } | Problem {
  if (text.trim() === '') return problemOf(400, needsBody)
  const sent = parseStandardJson(text)
  if (sent === undefined) return problemOf(400, 'The body is not JSON.')
  const parsed = schema.safeParse(sent)
  return parsed.success ? { data: parsed.data, sent } : unprocessable(parsed.error)
}

function isSpecial(reply: unknown): reply is Special {
  return typeof reply === 'object' && reply !== null && special in reply
}

function jsonAnswer(status: number, body: string): Answer {
  return { status, type: 'application/json', body, headers: {} }
}

function problemAnswer(problem: Problem): Answer {
  return { status: problem.status, type: problemType, body: JSON.stringify(problem), headers: {} }
}
