import { Readable } from 'node:stream'
import { buildQueryString, type HttpRequest, HttpResponse } from '@smithy/core/protocols'
import { Agent, type Dispatcher } from 'undici'

/**
 * One HTTP request and its answer, over connections that are kept open.
 * @throws what the SDK's own handler over node:http throws: AbortError, TimeoutError, errors with the system's codes
 * @returns an answer of whatever status; a body that broke off is a stream with the error
 */
export type Exchange = (request: HttpRequest, signal?: AbortSignal) => Promise<HttpResponse>

export interface Limits {
  readonly maxSockets: number
  readonly connectMs: number
  /** Until the head of the answer is there, and then between two pieces of its body. */
  readonly answerMs: number
}

export function openExchange({ maxSockets, connectMs, answerMs }: Limits): Exchange & { close(): void } {
  const agent = new Agent({
    connections: maxSockets,
    pipelining: 1, // a call behind a long poll would wait for it
    allowH2: false, // as the SDK
    connect: { timeout: connectMs },
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
  })
  const exchange: Exchange = (request, signal) =>
    new Promise((resolve, reject) => {
      agent.dispatch(dispatchOptions(request), receiver({ resolve, reject, signal }))
    })
  return Object.assign(exchange, { close: () => void agent.destroy() })
}

function dispatchOptions({
  protocol,
  hostname,
  port,
  path,
  query,
  headers,
  body,
}: HttpRequest): Dispatcher.DispatchOptions {
  const asked = buildQueryString(query)
  return {
    origin: `${protocol}//${hostname}${port ? `:${port}` : ''}`,
    path: asked ? `${path}?${asked}` : path,
    method: 'POST',
    headers,
    body,
  }
}

interface Outcome {
  resolve(response: HttpResponse): void
  reject(error: Error): void
  readonly signal: AbortSignal | undefined
}

function receiver({ resolve, reject, signal }: Outcome): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = []
  let head: Pick<HttpResponse, 'statusCode' | 'reason' | 'headers'> | undefined
  let controller: Dispatcher.DispatchController | undefined
  const abort = (): void => {
    const error = abortError(signal)
    controller?.abort(error)
    reject(error)
  }
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  const respond = (body: Uint8Array | Readable): void => {
    signal?.removeEventListener('abort', abort)
    if (head) resolve(new HttpResponse({ ...head, body }))
  }
  return {
    onRequestStart: (started) => {
      controller = started
      if (signal?.aborted) started.abort(abortError(signal))
    },
    onResponseStart: (_, statusCode, headers, reason) => {
      head = { statusCode, ...(reason !== undefined && { reason }), headers: joined(headers) }
    },
    onResponseData: (_, chunk) => void chunks.push(chunk),
    onResponseEnd: () => respond(chunks[0] && chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)),
    onResponseError: (_, error) => {
      if (head && !signal?.aborted) return respond(broken())
      signal?.removeEventListener('abort', abort)
      reject(asNodeError(error))
    },
  }
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const all: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) all[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return all
}

/** The error that node:http reports for a connection that is lost within the body. */
function broken(): Readable {
  const error = Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
  return new Readable({
    read() {
      this.destroy(error)
    },
  })
}

function abortError(signal: AbortSignal | undefined): Error {
  const { reason } = signal ?? {}
  const [text, options] = reason instanceof Error ? ['Request aborted', { cause: reason }] : [String(reason), {}]
  return Object.assign(new Error(text, options), { name: 'AbortError' })
}

/** undici's errors in the words of node:http and of the SDK's handler over it: by them the SDK decides what to retry. */
function asNodeError(error: Error & { code?: string }): Error {
  const { code = '', message } = error
  if (code === 'UND_ERR_SOCKET') return timeoutError('socket hang up', { cause: error, code: 'ECONNRESET' })
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return timeoutError(message, { cause: error, code: 'ETIMEDOUT' })
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return timeoutError(message, { cause: error })
  if (['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code)) return Object.assign(error, { name: 'TimeoutError' })
  return error
}

function timeoutError(message: string, { cause, ...fields }: { cause: Error; code?: string }): Error {
  return Object.assign(new Error(message, { cause }), { name: 'TimeoutError', ...fields })
}
