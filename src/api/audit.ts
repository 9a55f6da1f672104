import type { Request, RequestHandler } from 'express'
import { recordAction } from '../steering.ts'
import { operatorOf } from './guard.ts'

type Place = Parameters<typeof recordAction>[0]

/** Writes into the audit what a request has done. */
export async function auditRequest(app: Place, request: Request, action: string, what: string): Promise<void> {
  await recordAction(app, { action, by: operatorOf((name) => request.get(name)), what })
}

/** The same for what is no route of ours: every write that succeeds. */
export function auditWrites(app: Place): RequestHandler {
  return (request, response, next) => {
    const { method, baseUrl, path } = request
    if (method !== 'GET' && method !== 'HEAD') {
      response.once('finish', () => {
        if (response.statusCode >= 400) return
        void auditRequest(app, request, `${method} ${baseUrl}`, JSON.stringify({ path, body: request.body }))
      })
    }
    next()
  }
}
