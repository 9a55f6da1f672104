import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { version } from '../../version.ts'
import { problem, problemType } from './problem.ts'
import { type Route, rightOf } from './route.ts'

/** The OpenAPI 3.1 document of the routes: nothing in it is written twice. */
export function openApiDocument(routes: readonly Route[]) {
  const paths: ZodOpenApiPathsObject = {}
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method]: operation(route) }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Order pipeline',
      version,
      description: 'Aggregates, leaderboards and the invalid channel.',
      license: { name: 'MIT', url: 'https://spdx.org/licenses/MIT.html' },
      contact: { name: 'The operators of this API' },
    },
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    servers: [{ url: '.', description: 'Where this document is, behind any proxy.' }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, basic: { type: 'http', scheme: 'basic' } },
    },
    paths,
  })
}

function operation(route: Route): ZodOpenApiOperationObject {
  const {
    method,
    path,
    summary,
    params,
    query,
    headers,
    body,
    writes,
    reply,
    replyHeaders,
    status = 200,
    refusals,
  } = route
  const isOpen = rightOf(route) === 'numbers'
  const errors = { ...everyRoute, ...(!isOpen && guardedRoute), ...requestErrors(route), ...refusals }
  const known = { ...(writes && operatorHeader), ...headers }
  const header = z.object(Object.fromEntries(Object.entries(known).map(headerField)))
  return {
    operationId: operationId(method, path),
    tags: [tagOf(path)],
    summary: summary.split(/(?<=[.;]) /)[0]?.replace(/;$/, '.') ?? summary,
    description: summary,
    requestParams: { ...(params && { path: params }), ...(query && { query }), header },
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    security: security[rightOf(route)],
    responses: {
      [status]: {
        description: status === 202 ? 'Accepted' : 'OK',
        ...(replyHeaders && { headers: z.object(Object.fromEntries(Object.entries(replyHeaders).map(headerField))) }),
        content: { 'application/json': { schema: reply } },
      },
      ...Object.fromEntries(Object.entries(errors).map(([code, when]) => [code, errorResponse(when)])),
    },
  }
}

const withToken = [{ bearer: [] }, { basic: [] }]
/** Whole orders need no token on loopback, or if the configuration says so. */
const security = { numbers: [], orders: [...withToken, {}], admin: withToken }

/** By the first part of their path. */
const tags: Readonly<Record<string, string>> = {
  admin: 'Pauses, drain and the admin audit log.',
  health: 'For load balancers and orchestrators.',
  integrity: 'Whether the books balance.',
  jobs: 'Results of corrections and replays.',
  live: 'What the dashboard shows.',
  orders: 'Where an order is; invalid orders.',
  stats: 'Totals and leaderboards.',
  users: 'Totals and ranks of a user.',
}

const tagOf = (path: string): string => (/^\/(livez|readyz)$/.test(path) ? 'health' : (path.split('/')[1] ?? ''))

const everyRoute = {
  403: 'The Host header names a host that is not in API_ALLOWED_HOSTS.',
  422: 'A parameter or field is not accepted; each is named.',
  500: 'Internal server error.',
  503: 'Redis does not answer.',
}

const guardedRoute = {
  401: 'A token is needed.',
  403: 'The request comes from another site or by another host, or from another machine where no token is set.',
  429: 'Too many wrong tokens.',
}

const bodyRoute = {
  400: 'The body is not JSON.',
  413: 'The body is larger than 1 MB.',
  415: 'The content-type is not application/json.',
}

/** A write without a body refuses the types that a form can send, too. */
function requestErrors({ body, writes }: Route): Partial<typeof bodyRoute> {
  if (body) return bodyRoute
  return writes ? { 415: bodyRoute[415] } : {}
}

/** Errors that many routes share, for the page that lists them once. */
export const sharedErrors: readonly (readonly [status: string, cause: string])[] = [everyRoute, guardedRoute, bodyRoute]
  .flatMap((errors) => Object.entries(errors))
  .toSorted(([one], [other]) => Number(one) - Number(other))

const operatorHeader = {
  'X-Operator': 'The name of the operator, for the audit log. The default is the user name of a login.',
}

function headerField([name, description]: [string, string]): [string, z.ZodType] {
  return [name, z.string().optional().meta({ description })]
}

function errorResponse(description: string) {
  return { description, content: { [problemType]: { schema: problem } } }
}

function operationId(method: string, path: string): string {
  return [method, ...path.split(/[^a-z_-]+/).filter(Boolean)].join('-')
}
