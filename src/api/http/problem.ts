import type { Response } from 'express'
import { z } from 'zod'
import { issueText } from '../issue-text.ts'
import { requestIdOf } from '../request-log.ts'

/** Lists the servers that this process depends on. SQS is for information, since no request needs it. */
export const checks = z
  .object({
    redis: z.string().meta({ description: '`ok`, or why not.' }),
    sqs: z
      .string()
      .optional()
      .meta({ description: 'For information: `ok`, or why the bridge of this process cannot use it.' }),
  })
  .meta({ id: 'Checks' })

/** An error reply, application/problem+json (RFC 9457). */
export const problem = z
  .object({
    status: z.int(),
    title: z.string(),
    detail: z.string(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    checks: checks.optional().meta({ description: 'Of `/readyz` only.' }),
    request_id: z.string().optional().meta({ description: 'As in the header x-request-id, and in the log.' }),
  })
  .meta({ id: 'Problem' })
export type Problem = z.output<typeof problem>

export const needsBody = 'A JSON body is needed: send {} at least.'

export const problemType = 'application/problem+json'

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export function problemOf(status: number, detail: string, errors?: Problem['errors']): Problem {
  return { status, title: titles[status] ?? 'Error', detail, ...(errors && { errors }) }
}

/** Enough to fix an order; a hostile one may have a million. */
const maxErrors = 100

/** Makes a 422 that names each refused field once. */
export function unprocessable({ issues }: z.ZodError): Problem {
  const messages = new Map(
    issues.slice(0, maxErrors).flatMap((issue) => fieldsOf(issue).map((field) => [field, issueText(issue)])),
  )
  const errors = [...messages].map(([field = '', message = '']) => ({ field, message }))
  const more = issues.length > maxErrors ? `, and ${issues.length - maxErrors} more` : ''
  return problemOf(422, `Not accepted: ${errors.map(({ field }) => field || 'body').join(', ')}${more}.`, errors)
}

function fieldsOf(issue: z.core.$ZodIssue): string[] {
  const fields = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
  return fields.map((path) => path.join('.'))
}

/** Returns the body of a problem. */
export const problemText = (problem: Problem, requestId: string): string =>
  JSON.stringify({ ...problem, request_id: requestId })

export function sendProblem(response: Response, problem: Problem): void {
  response
    .status(problem.status)
    .type(problemType)
    .send(problemText(problem, requestIdOf(response.req)))
}
