import type { Response } from 'express'
import { z } from 'zod'

/** An error as the API tells it, application/problem+json (RFC 9457). */
export const problem = z
  .object({
    status: z.int(),
    title: z.string(),
    detail: z.string(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' })
export type Problem = z.output<typeof problem>

export const problemType = 'application/problem+json'

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export function problemOf(status: number, detail: string, errors?: Problem['errors']): Problem {
  return { status, title: titles[status] ?? 'Error', detail, ...(errors && { errors }) }
}

/** What a request has that its schema refuses, with each field named once. */
export function unprocessable(error: z.ZodError): Problem {
  const messages = new Map(error.issues.map((issue) => [issue.path.join('.'), messageFor(issue)]))
  const errors = [...messages].map(([field, message]) => ({ field, message }))
  return problemOf(422, `Not accepted: ${errors.map(({ field }) => field || 'body').join(', ')}.`, errors)
}

/** Of a field that is not there zod says that it is undefined, which is no word of JSON. */
function messageFor({ message }: z.core.$ZodIssue): string {
  return message.endsWith('received undefined') ? 'is required' : message
}

export function sendProblem(response: Response, problem: Problem): void {
  response.status(problem.status).type(problemType).send(JSON.stringify(problem))
}
