import { createDocument, type ZodOpenApiPathsObject, type ZodOpenApiResponseObject } from 'zod-openapi'
import { problem, problemType } from './problem.ts'
import type { Route } from './route.ts'

const version = '0.1.0'

/** The OpenAPI 3.1 document of the routes: nothing in it is written twice. */
export function openApiDocument(routes: readonly Route[]) {
  const paths: ZodOpenApiPathsObject = {}
  for (const { method, path, summary, params, query, reply, refusals } of routes) {
    const errors = {
      422: 'A parameter is out of bounds.',
      500: 'A fault of the server.',
      503: 'Redis does not answer.',
      ...refusals,
    }
    paths[path] = {
      ...paths[path],
      [method]: {
        operationId: operationId(method, path),
        summary,
        requestParams: { path: params, query },
        responses: {
          200: { description: 'OK', content: { 'application/json': { schema: reply } } },
          ...Object.fromEntries(Object.entries(errors).map(([status, when]) => [status, errorResponse(when)])),
        },
      },
    }
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Order pipeline', version, description: 'Aggregates, leaderboards and the invalid channel.' },
    paths,
  })
}

function errorResponse(description: string): ZodOpenApiResponseObject {
  return { description, content: { [problemType]: { schema: problem } } }
}

function operationId(method: string, path: string): string {
  return [method, ...path.split(/[^a-z_]+/).filter(Boolean)].join('-')
}
