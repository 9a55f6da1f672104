import express, { type Request, type RequestHandler } from 'express'
import type { App } from '../../app.ts'
import { type Begun, beginAction } from '../../control/audit-log.ts'
import { isObject } from '../../order/json.ts'
import { identified } from '../request-log.ts'
import { operatorOf } from './access.ts'
import { type Asked, actionAsked, withJob } from './summary.ts'
import { bodyLimit } from './unreadable.ts'

type Scope = Pick<App, 'redis' | 'control' | 'telemetry' | 'format'>

/** A request that is being carried out. */
interface BegunRequest extends Begun {
  /** Records its status, and the job that its reply names. */
  endWith(status: number, reply: string): Promise<void>
}

/** Records what a request is about to do. @param text the body as it was sent */
export async function auditRequest(app: Scope, request: Request, asked: Asked, text: string): Promise<BegunRequest> {
  const by = operatorOf((name) => request.get(name))
  const action = { by, ...actionAsked(asked, text, app.format) }
  const begun = await beginAction(app, action)
  const endWith = (status: number, reply: string): Promise<void> => {
    const jobId = jobIn(reply)
    return begun.end(String(status), jobId === undefined ? action.what : withJob(action.what, jobId))
  }
  return { ...begun, endWith }
}

function jobIn(reply: string): string | undefined {
  const sent: unknown = JSON.parse(reply)
  return isObject(sent) && typeof sent['job_id'] === 'string' ? sent['job_id'] : undefined
}

/** Parses what Bull Board accepts: the data of a job can be an order of 1 MB. */
const bodies = new WeakMap<object, string>()
const parseJson = express.json({
  limit: bodyLimit,
  strict: false,
  verify: (request, _response, bytes) => void bodies.set(request, bytes.toString()),
})

/** Records every write to pages outside the list of routes, before it runs and after it ends, however it ends. */
export function auditWrites(app: Scope): RequestHandler {
  return (request, response, next) => {
    if (request.method === 'GET' || request.method === 'HEAD') return next()
    parseJson(request, response, (error: unknown) => {
      if (error) return next(error)
      const { method, path, body } = request
      const asked = { action: 'queues', where: { method, path }, body }
      const begin = async (): Promise<void> => {
        const scope = { ...app, telemetry: identified(app.telemetry, request) }
        const begun = await auditRequest(scope, request, asked, bodies.get(request) ?? '')
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
