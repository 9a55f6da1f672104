import { createHash } from 'node:crypto'
import express, { type Request, type RequestHandler } from 'express'
import type { App } from '../../app.ts'
import { type Begun, beginAction } from '../../control/audit-log.ts'
import { operatorOf } from './access.ts'
import { summaryOf } from './summary.ts'

type Scope = Pick<App, 'redis' | 'control' | 'telemetry'>

interface Asked {
  readonly action: string
  /** The parameters of the path, or the path itself. */
  readonly where: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/** Records what a request is about to do. @param text the body as it was sent */
export async function auditRequest(
  app: Scope,
  request: Request,
  { action, where, body }: Asked,
  text: string,
): Promise<Begun> {
  const by = operatorOf((name) => request.get(name))
  const { value, isCut } = summaryOf(body)
  const sha256 = isCut ? createHash('sha256').update(text).digest('hex') : undefined // identifies what is not shown
  const what = JSON.stringify({ ...where, body: value, sha256 })
  return beginAction(app, { action, by, what, logged: JSON.stringify({ ...where, body: identifying(body) }) })
}

const identifyingFields = ['user_id', 'order_id', 'order_value', 'ids', 'limit', 'code', 'dryRun', 'reason']

/** Returns the fields of a body that may go into the log, which must not have whole orders. */
function identifying(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return undefined
  const known = Object.entries(body).filter(([name]) => identifyingFields.includes(name))
  return summaryOf(Object.fromEntries(known)).value
}

/** Parses what Bull Board accepts: the data of a job can be an order of 1 MB. */
const bodies = new WeakMap<object, string>()
const parseJson = express.json({
  limit: '1mb',
  strict: false,
  verify: (request, _response, bytes) => void bodies.set(request, bytes.toString()),
})

/** Records every write to pages outside the list of routes, before it runs and after it ends, however it ends. */
export function auditWrites(app: Scope): RequestHandler {
  return (request, response, next) => {
    if (request.method === 'GET' || request.method === 'HEAD') return next()
    parseJson(request, response, (error: unknown) => {
      if (error) return next(error)
      const { method, baseUrl, path, body } = request
      const asked = { action: `${method} ${baseUrl}`, where: { path }, body }
      const begin = async (): Promise<void> => {
        const begun = await auditRequest(app, request, asked, bodies.get(request) ?? '')
        if (response.closed) return void begun.cancel() // the client has disconnected: nothing runs
        response.once('close', () => void ended(begun, response))
        next()
      }
      begin().catch(next)
    })
  }
}

/** A status below 400 means done, below 500 not done. If the client disconnected, neither is known. */
async function ended(begun: Begun, response: { writableFinished: boolean; statusCode: number }): Promise<void> {
  const { writableFinished, statusCode } = response
  if (!writableFinished) return begun.end('unknown: the client disconnected before it ended')
  if (statusCode >= 400 && statusCode < 500) return begun.cancel()
  await begun.end(String(statusCode))
}
