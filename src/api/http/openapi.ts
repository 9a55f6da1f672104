import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { version } from '../../version.ts'
import { csvType } from '../csv.ts'
import type { Example } from '../examples/example.ts'
import { exampleOf } from '../examples/examples.ts'
import { problem, problemType } from './problem.ts'
import { type Route, rightOf } from './route.ts'
import { bodyTooLarge } from './unreadable.ts'

/** The OpenAPI 3.1 document of the routes: nothing in it is written twice. */
export function openApiDocument(routes: readonly Route[]) {
  const paths: ZodOpenApiPathsObject = {}
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method]: operation(route) }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Order pipeline',
      version,
      description,
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

/** CommonMark, which Swagger UI renders. */
const description = `Totals, leaderboards and the invalid channel of the order pipeline.

**Numbers** need no token. **Whole orders** need one, unless the API listens on loopback or API_PUBLIC is set. **Writes**
need one always, except with \`orders start\` on your own machine.

**To get a token**: the operators of this API set it as the variable \`ADMIN_TOKEN\`; a good one is what
\`openssl rand -hex 16\` prints. Send it as \`Authorization: Bearer …\`, or as the password of a login with your own name
as the user. On this page, press *Authorize*.

**Each reply** has the header \`x-request-id\`: that of the request, or a new one. Problems repeat it as \`request_id\`,
and the log has it as \`requestId\`.`

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
  const errors = { ...errorsOf(route), ...refusals }
  const example = exampleOf(route)
  const known = { ...(writes && operatorHeader), ...headers }
  const header = z.object(Object.fromEntries(Object.entries(known).map(headerField)))
  return {
    operationId: operationId(method, path),
    tags: [tagOf(path)],
    summary:
      summary
        .split(/(?<=[.;]) /)[0]
        ?.replace(/;$/, '.')
        .replaceAll('`', '') ?? summary,
    description: summary,
    requestParams: {
      ...(params && { path: withExamples(params, example?.params) }),
      ...(query && { query: withExamples(query, example?.query) }),
      header,
    },
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: body, ...(example && { example: example.body }) } },
      },
    }),
    security: security[rightOf(route)],
    responses: {
      [status]: {
        description: status === 202 ? 'Accepted' : 'OK',
        ...(replyHeaders && { headers: z.object(Object.fromEntries(Object.entries(replyHeaders).map(headerField))) }),
        content: {
          'application/json': { schema: reply, ...(example && { example: example.reply }) },
          ...(route.csv && { [csvType]: { schema: { type: 'string' } } }),
        },
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
  dlq: 'The dead-letter queue.',
  health: 'For load balancers and orchestrators.',
  integrity: 'Whether the books balance.',
  jobs: 'Results of corrections and replays.',
  live: 'What the dashboard shows.',
  orders: 'Where an order is; invalid orders.',
  stats: 'Totals and leaderboards.',
  undos: 'Incidents that are undone and redone.',
  users: 'Totals and ranks of a user.',
}

const tagOf = (path: string): string => (/^\/(livez|readyz)$/.test(path) ? 'health' : (path.split('/')[1] ?? ''))

/** Returns the errors that the server itself can reply for a route. */
function errorsOf(route: Route): Readonly<Record<number, string>> {
  const { params, query, body, writes } = route
  return {
    ...everyRoute,
    ...(rightOf(route) !== 'numbers' && guardedRoute),
    ...(params && pathRoute),
    ...((query || body || (params && !takesAnyText(params))) && checkedRoute),
    ...(body ? bodyRoute : writes && { 415: bodyRoute[415] }),
  }
}

const takesAnyText = (params: z.ZodObject): boolean =>
  params.safeParse(Object.fromEntries(Object.keys(params.shape).map((name) => [name, '\u0000']))).success

/** Shows an example of each parameter, which the page fills in. */
function withExamples(fields: z.ZodObject, given: Example['query'] = {}): z.ZodObject {
  const shown = Object.entries(given).map(([name, example]) => {
    const field = fields.shape[name]
    return [name, field.meta({ ...field.meta(), param: { example } })]
  })
  return z.object({ ...fields.shape, ...Object.fromEntries(shown) })
}

const everyRoute = {
  403: 'The Host header names a host that is not in API_ALLOWED_HOSTS.',
  500: 'Internal server error.',
  503: 'Redis does not answer.',
}

const pathRoute = { 400: 'The path is not UTF-8.' }
const checkedRoute = { 422: 'A parameter or field is not accepted; each is named.' }

const guardedRoute = {
  401: 'A token is needed.',
  403: 'The request comes from another site or by another host, or from another machine where no token is set.',
  429: 'Too many wrong tokens.',
}

const bodyRoute = {
  400: 'The body is not JSON.',
  413: bodyTooLarge,
  415: 'The content-type is not application/json.',
}

/** Errors that many routes share, for the page that lists them once. */
export const sharedErrors: readonly (readonly [status: string, cause: string])[] = [
  everyRoute,
  pathRoute,
  checkedRoute,
  guardedRoute,
  bodyRoute,
]
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
