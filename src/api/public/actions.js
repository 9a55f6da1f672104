import { askFor } from './lib/dialog.js'
import { notice } from './lib/dom.js'

const tokenKey = 'orders-token'
const nameKey = 'orders-operator'

/*
 * Paths are relative to the page: a proxy may serve it at a path of its own.
 */

/**
 * Calls a route that writes, and asks for what it needs: the name of who does it, once, and a token where the API wants
 * one. Gives the reply; undefined where it was called off or failed, which is told then.
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

/** A route that only reads; it asks for a token as `act` does. @throws Error with a sentence for people */
export async function read(path) {
  const { response, problem } = await send(path, {})
  if (response) return response.text()
  throw new Error(problem ? plain(problem) : 'A token is needed to see whole orders.')
}

export function fail(text) {
  notice(text, 'bad')
  return undefined
}

/**
 * Sends a request, with a token where the API wants one. Omitted credentials: a 401 is for us to ask, not for the browser's
 * own dialog. Gives the `response` or the `problem`; neither where the question for a token was called off.
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

/** Where no ADMIN_TOKEN is set the API does not ask for a login: no token would do. */
const wantsToken = (response) =>
  response?.status === 401 && response.headers.get('www-authenticate').startsWith('Basic')

/** A header carries bytes, which scripts write as characters up to U+00FF: those of UTF-8. */
const bytesOf = (text) => String.fromCharCode(...new TextEncoder().encode(text))

async function problemIn(response) {
  if (!response) return { status: 0, detail: 'The API does not answer: see that it runs, then try again.' }
  const { detail } = await response.json().catch(() => ({}))
  return { status: response.status, detail: detail ?? `The API answers ${response.status}: try again.` }
}

function plain({ status, detail }) {
  return status === 403 ? `Not allowed: ${detail}` : detail
}

async function operatorName() {
  const known = localStorage.getItem(nameKey)
  if (known) return known
  const given = await askFor({
    title: 'Who are you?',
    text: 'Your name stands beside what you do, for the others and for the record. It is asked once on this browser.',
    fields: [{ name: 'name', label: 'Name', maxlength: '100', autocomplete: 'username' }],
    action: 'Go on',
  })
  const name = given?.name.trim()
  if (!name) return undefined
  localStorage.setItem(nameKey, name)
  return name
}

const askToken = (wrong) =>
  askFor({
    title: wrong ? 'That token was not accepted' : 'A token is needed',
    text: 'This API lets in who has its ADMIN_TOKEN. It is kept until you close this tab.',
    fields: [{ name: 'token', label: 'Token', type: 'password', pattern: '[!-~]+', autocomplete: 'current-password' }],
    action: 'Go on',
  })
