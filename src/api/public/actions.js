// @ts-check
import { askFor } from './lib/dialog.js'
import { notice } from './lib/dom.js'

/** @typedef {{ status: number, detail: string }} Problem */

const tokenKey = 'orders-token'
const nameKey = 'orders-operator'

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
  const operator = await operatorName()
  if (operator === undefined) return undefined
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'x-operator': bytesOf(operator) }
  const { response, problem } = await send(path, { method, headers, body: text })
  if (response) return response.json()
  return problem && fail(plain(problem))
}

/**
 * Calls a route that reads. Asks for a token as `act` does.
 * @param {string} path
 * @throws {Error} with a sentence for people
 */
export async function read(path) {
  const { response, problem } = await send(path, {})
  if (response) return response.text()
  throw new Error(problem ? plain(problem) : 'Whole orders are shown with the admin token only.')
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
  for (let refused = false; ; refused = true) {
    const token = sessionStorage.getItem(tokenKey)
    const headers = { ...request.headers, ...(token !== null && { authorization: `Bearer ${token}` }) }
    const response = await fetch(path, { ...request, headers, credentials: 'omit' }).catch(() => undefined)
    if (response?.ok) return { response }
    if (!wantsToken(response)) return { problem: await problemIn(response) }
    sessionStorage.removeItem(tokenKey)
    const given = await askToken(refused || token !== null)
    if (!given) return {}
    sessionStorage.setItem(tokenKey, given.token)
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
  const { detail } = await response.json().catch(() => ({}))
  return { status: response.status, detail: detail ?? `The API answers ${response.status}: try again.` }
}

/** @param {Problem} problem */
function plain({ status, detail }) {
  return status === 403 ? `Not allowed: ${detail}` : detail
}

async function operatorName() {
  const known = localStorage.getItem(nameKey)
  if (known) return known
  const given = await askFor({
    title: 'Who are you?',
    text: 'Your name is recorded with each action. This browser remembers it.',
    fields: [{ name: 'name', label: 'Name', maxlength: '100', autocomplete: 'username' }],
    action: 'Continue',
  })
  const name = given?.name.trim()
  if (!name) return undefined
  localStorage.setItem(nameKey, name)
  return name
}

/** @param {boolean} wrong */
const askToken = (wrong) =>
  askFor({
    title: wrong ? 'That token was not accepted' : 'Admin token required',
    text: 'This API requires the admin token (ADMIN_TOKEN). It is kept until you close this tab.',
    fields: [{ name: 'token', label: 'Token', type: 'password', pattern: '[!-~]+', autocomplete: 'current-password' }],
    action: 'Continue',
  })
