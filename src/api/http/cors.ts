import type { RequestHandler } from 'express'

/** Methods and headers that a page of another site may use. Routes that write refuse other sites in any case (see guard.ts). */
const reading = {
  'Access-Control-Allow-Methods': 'GET, HEAD',
  'Access-Control-Allow-Headers': 'authorization, content-type, x-request-id',
}
/** Headers of a reply that scripts may read: the link to the next page, when to retry, and the id in the log. */
const exposed = 'Link, Retry-After, X-Request-Id'
/** How long a browser caches the reply to a preflight. */
const keepSeconds = '600'

/** Lets pages of these origins read the replies (CORS). A browser never sends its own credentials. */
export function cors(origins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (origins.length === 0) return next()
    response.vary('Origin')
    const origin = request.get('origin') ?? ''
    if (!origins.includes(origin)) return next()
    response.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': exposed })
    const isPreflight = request.method === 'OPTIONS' && request.get('access-control-request-method') !== undefined
    if (!isPreflight) return next()
    response
      .set({ ...reading, 'Access-Control-Max-Age': keepSeconds })
      .status(204)
      .end()
  }
}
