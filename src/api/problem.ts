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
  404: 'Not Found',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export function problemOf(status: number, detail: string, errors?: Problem['errors']): Problem {
  return { status, title: titles[status] ?? 'Error', detail, ...(errors && { errors }) }
}

/** What a request has that its schema refuses, with each field named once. */
export function unprocessable(error: z.ZodError): Problem {
  const messages = new Map(error.issues.map(({ path, message }) => [path.join('.'), message]))
  const errors = [...messages].map(([field, message]) => ({ field, message }))
  return problemOf(422, `Not accepted: ${errors.map(({ field }) => field || 'body').join(', ')}.`, errors)
}
