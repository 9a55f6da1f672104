// @ts-check
import { forgetToken, knownToken, nameOrAsk, tokenOrAsk } from './identity.js'
import { notice } from './lib/dom.js'

/** @typedef {{ status: number, detail: string }} Problem */

/** A frozen API counts as away after this long. A search for the next older order takes some seconds. */
const silentMs = 30_000

/*
 * Paths are relative to the page, so that a proxy can serve it at any path.
 */

/**
 * Calls a route that writes. Asks for the operator's name once, and for a token if the API requires one. Shows a failure.
 * @param {string} method
 * @param {string} path
 * @param {string | object} body a string is sent as it is
 * @returns {Promise<any>} the reply; undefined if the call failed or was canceled
 */
export async function act(method, path, body) {
  const { reply, failure } = await write(method, path, body)
  return failure === undefined ? reply : fail(failure)
}

/**
 * Calls a route that writes, as `act` does, and leaves it to the caller to show a failure.
 * @param {string} method
 * @param {string} path
 * @param {string | object} body
 * @returns {Promise<{ reply?: any, failure?: string }>} a sentence for people as the failure; neither if it was canceled
 */
export async function write(method, path, body) {
  const operator = await nameOrAsk()
  if (operator === undefined) return {}
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'x-operator': bytesOf(operator) }
  const { response, problem } = await send(path, { method, headers, body: text })
  if (response) return { reply: await response.json() }
  return problem ? { failure: plain(problem) } : {}
}

/** Thrown, as a cause, if the operator canceled the question for a token. */
export const canceled = Symbol('canceled')

/**
 * Calls a route that reads. Asks for a token as `act` does.
 * @param {string} path
 * @throws {Error} with a sentence for people
 */
export async function read(path) {
  const { response, problem } = await send(path, {})
  if (response) return response.text()
  if (problem) throw new Error(plain(problem))
  throw new Error('Whole orders are shown with the admin token only.', { cause: canceled })
}

/**
 * Shows what went wrong.
 * @param {string} text
 * @returns {undefined}
 */
export function fail(text) {
  notice(text, 'bad')
  return undefined
}

/**
 * Sends a request, with a token if the API requires one. Credentials are omitted so that the browser does not open its own
 * dialog at a 401.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} request
 * @returns {Promise<{ response?: Response, problem?: Problem }>} neither if the user canceled the question for a token
 */
async function send(path, request) {
  for (;;) {
    const token = knownToken()
    const headers = { ...request.headers, ...(token !== null && { authorization: `Bearer ${token}` }) }
    const signal = AbortSignal.timeout(silentMs)
    const response = await fetch(path, { ...request, headers, signal, credentials: 'omit' }).catch(() => undefined)
    if (response?.ok) return { response }
    if (!wantsToken(response)) return { problem: await problemIn(response) }
    forgetToken(token)
    if ((await tokenOrAsk(token !== null)) === undefined) return {}
  }
}

/**
 * Returns true if a token would help. An API without ADMIN_TOKEN refuses as well, but asks for no login.
 * @param {Response | undefined} response
 */
const wantsToken = (response) =>
  response?.status === 401 && response.headers.get('www-authenticate')?.startsWith('Basic')

/**
 * Encodes a text for a header as UTF-8. Scripts write each byte as a character up to U+00FF.
 * @param {string} text
 */
const bytesOf = (text) => String.fromCharCode(...new TextEncoder().encode(text))

/**
 * @param {Response | undefined} response
 * @returns {Promise<Problem>}
 */
async function problemIn(response) {
  if (!response) return { status: 0, detail: 'The API does not answer: check that it runs, then try again.' }
  const { detail, errors } = await response.json().catch(() => ({}))
  const text = errors ? refusedText(errors) : (detail ?? `The API answers ${response.status}: try again.`)
  return { status: response.status, detail: text }
}

const maxErrors = 5

/** @param {{ field: string, message: string }[]} errors of an order or a form; a hostile one may have a hundred */
function refusedText(errors) {
  const shown = errors.slice(0, maxErrors).map(({ field, message }) => `${field || 'the body'} (${message})`)
  const more = errors.length > maxErrors ? `, and ${errors.length - maxErrors} more` : ''
  return `Not accepted: ${shown.join(', ')}${more}.`
}

/** @param {Problem} problem */
function plain({ status, detail }) {
  return status === 403 ? `Not allowed: ${detail}` : detail
}
