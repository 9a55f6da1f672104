import type { RequestHandler } from 'express'
import type { App } from '../../app.ts'
import { requestFields } from '../request-log.ts'
import { problemOf, sendProblem } from './problem.ts'

/** The methods of a path that is only read. */
export const reading: readonly string[] = ['get']

/**
 * Answers what no route of a path has answered: OPTIONS, and with 405 any method that the path does not have. Express
 * answers HEAD for every GET.
 */
export function onlyMethods({ telemetry }: App, methods: readonly string[]): RequestHandler {
  const names = methods.map((method) => method.toUpperCase())
  const allow = [...names, ...(names.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')
  return (request, response) => {
    response.set('Allow', allow)
    const status = request.method === 'OPTIONS' ? 204 : 405
    if (status === 204) response.status(status).end()
    else sendProblem(response, problemOf(status, `${request.path} has no ${request.method}, only ${allow}: see /docs.`))
    telemetry.emit('request', { ...requestFields(request, response, '-'), error: undefined })
  }
}
