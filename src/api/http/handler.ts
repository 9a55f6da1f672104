import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import type { Queues } from '../../control/job-queues.ts'
import { continueTrace } from '../../control/job-trace.ts'
import { messageOf } from '../../errors.ts'
import { parseExactIds } from '../../order/read-order.ts'
import { endRequest, traceOfRequest } from '../../tracing/request.ts'
import { type Span, tracedLines } from '../../tracing/tracing.ts'
import { csvText, csvType, type Table } from '../csv.ts'
import { identified, requestFields } from '../request-log.ts'
import type { Right } from './access.ts'
import { refusalOfName } from './access.ts'
import { auditRequest } from './audit.ts'
import { failure } from './failure.ts'
import { needsBody, type Problem, problemOf, sendProblem, unprocessable } from './problem.ts'
import { type Headers, specialOf } from './reply.ts'
import type { ApiContext, Call, HealthContext, Route } from './route.ts'

interface Options {
  /** Returns true if a request has a right without a token. */
  hasRight(request: Request, right: Right): boolean
  /** Sends a body. Returns false without sending it if too many replies wait for their readers. */
  send(response: Response, body: string): boolean
}

const byItself: Options = {
  hasRight: () => false,
  send: (response, body) => {
    response.send(body)
    return true
  },
}

/** Makes the Express handler of a route. */
export function handler<C extends HealthContext = ApiContext>(
  context: C,
  route: Route<C>,
  { hasRight, send }: Options = byItself,
): RequestHandler {
  return async (request, response) => {
    const left = new AbortController()
    response.once('close', () => left.abort())
    const span =
      route.writes &&
      context.tracing?.request(
        request.method,
        route.path,
        traceOfRequest((name) => request.get(name)),
      )
    const scope = route.writes ? writing(context, request, span || undefined) : context
    const answered = await answer(scope, route, request, { hasRight, signal: left.signal })
    const { status, headers, problem, bug } = answered
    response.status(status).set(headers)
    if (problem) sendProblem(response, problem)
    else if (!send(response.type(answered.type ?? 'application/json'), answered.body)) {
      for (const name of Object.keys(headers)) response.removeHeader(name)
      sendProblem(response, tooManyReplies)
    }
    const fields = requestFields(request, response, route.path)
    if (bug !== undefined) scope.telemetry.emit('requestFailed', { ...fields, error: bug })
    const error = status >= 500 ? problem?.detail : undefined
    if (span) endRequest(span, status)
    scope.telemetry.emit('request', { ...fields, error })
  }
}

/** Returns the context of a request that writes: its log lines have its id and its trace, which its jobs continue. */
function writing<C extends HealthContext>(context: C, request: Request, span: Span | undefined): C {
  const telemetry = tracedLines(identified(context.telemetry, request), span)
  if (span?.traceId === undefined || !('queues' in context)) return { ...context, telemetry }
  return { ...context, telemetry, queues: continueTrace(context.queues as Queues, span.context) }
}

type Answer = { readonly status: number; readonly headers: Headers } & (
  | { readonly body: string; readonly type?: string; readonly problem?: undefined; readonly bug?: undefined }
  | { readonly problem: Problem; readonly bug?: string | undefined } // an error that nothing explains
)

const tooManyReplies = problemOf(503, 'Too many long replies wait for their readers: try again in a moment.')

/** Only the log shows it. nginx uses the same status. */
const clientLeft = problemOf(499, 'The client disconnected before it had the reply.')

interface Client extends Pick<Options, 'hasRight'> {
  readonly signal: AbortSignal
}

async function answer<C extends HealthContext>(
  context: C,
  route: Route<C>,
  request: Request,
  { hasRight, signal }: Client,
): Promise<Answer> {
  const read = readCall(route, request)
  if ('title' in read) return problemAnswer(read)
  const refused = route.writes && refusalOfName(read.header)
  if (refused) return problemAnswer(refused)
  const call = {
    ...read,
    client: request.socket.remoteAddress ?? '',
    signal,
    wantsCsv: route.csv !== undefined && request.accepts(['application/json', csvType]) === csvType,
    has: (right: Right) => hasRight(request, right),
  }
  if (!route.writes || route.audited) return carryOut(context, route, call)
  const { method, path, action = `${method.toUpperCase()} ${path}` } = route
  const asked = { action, where: request.params, body: read.sent }
  const begun = await auditRequest(context, request, asked, call.text)
  const answered = await carryOut(context, route, call)
  const isRefused = answered.status >= 400 && answered.status < 500
  await (isRefused ? begun.cancel() : begun.endWith(answered.status, 'body' in answered ? answered.body : 'null'))
  return answered
}

async function carryOut<C extends HealthContext>(context: C, route: Route<C>, call: Call): Promise<Answer> {
  const status = route.status ?? 200
  try {
    const reply = await route.handle(context, call)
    const special = specialOf(reply)
    if (!special) {
      const checked = route.reply.parse(reply)
      const toTable = typeof route.csv === 'function' && call.wantsCsv ? route.csv : undefined
      return toTable ? csvAnswer(status, toTable(checked)) : jsonAnswer(status, JSON.stringify(checked))
    }
    const { headers, ...other } = special
    if ('table' in other) return { ...csvAnswer(status, other.table), headers }
    return { ...('text' in other ? jsonAnswer(status, other.text) : problemAnswer(other.problem)), headers }
  } catch (error) {
    if (call.signal.aborted && error === call.signal.reason) return problemAnswer(clientLeft)
    const problem = failure(error)
    return problemAnswer(problem, problem.status === 503 ? undefined : messageOf(error))
  }
}

type Declared = Pick<Route, 'params' | 'query' | 'body'>

const nothing = z.object({})

/** Reads and checks what was sent. `sent` is the body as JSON before the route's schema changes it. */
function readCall(
  route: Declared,
  request: Request,
): (Omit<Call, 'has' | 'signal' | 'client' | 'wantsCsv'> & { sent?: unknown }) | Problem {
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
  const sent = parseExactIds(text)
  if (sent === undefined) return problemOf(400, 'The body is not JSON.')
  const parsed = schema.safeParse(sent)
  return parsed.success ? { data: parsed.data, sent } : unprocessable(parsed.error)
}

function jsonAnswer(status: number, body: string): Extract<Answer, { body: string }> {
  return { status, body, headers: {} }
}

const csvAnswer = (status: number, table: Table): Answer => ({
  ...jsonAnswer(status, csvText(table)),
  type: csvType,
})

function problemAnswer(problem: Problem, bug?: string): Answer {
  return { status: problem.status, problem, bug, headers: {} }
}
