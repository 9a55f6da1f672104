// @ts-check
import { askFor } from './lib/dialog.js'

/* Keeps the name of the operator in this browser, and the token in this tab. */

const tokenKey = 'orders-token'
const nameKey = 'orders-operator'

/** @type {Set<() => void>} */
const listeners = new Set()

/**
 * Calls `listener` now, and whenever the name or the token changes, in another tab too.
 * @param {() => void} listener
 */
export function onIdentity(listener) {
  listeners.add(listener)
  addEventListener('storage', listener)
  listener()
}

const changed = () => {
  for (const listener of listeners) listener()
}

export const knownName = () => localStorage.getItem(nameKey)
export const knownToken = () => sessionStorage.getItem(tokenKey)

/** Returns the operator's name; undefined if the question for it was canceled. */
export async function nameOrAsk() {
  return knownName() ?? askName()
}

/** Asks for the operator's name, and keeps it. */
export async function askName() {
  const given = await askFor({
    title: 'Who are you?',
    text: 'Your name is recorded with each action. This browser keeps it until you sign out.',
    fields: [
      {
        name: 'name',
        label: 'Name',
        maxlength: '100',
        autocomplete: 'username',
        pattern: '.*\\S.*',
        value: knownName() ?? '',
      },
    ],
    action: 'Continue',
  })
  const name = given?.name.trim()
  if (!name) return undefined
  localStorage.setItem(nameKey, name)
  changed()
  return name
}

/**
 * Forgets a token that was refused, unless another has taken its place meanwhile.
 * @param {string | null} refused
 */
export function forgetToken(refused) {
  if (knownToken() !== refused) return
  sessionStorage.removeItem(tokenKey)
  changed()
}

/** @type {Promise<string | undefined> | undefined} */
let asking

/**
 * Returns the token; undefined if the question for it was canceled. Calls that need it at the same time ask once.
 * @param {boolean} wrong true if one was refused
 */
export async function tokenOrAsk(wrong) {
  const known = knownToken()
  if (known !== null) return known
  asking ??= askToken(wrong).finally(() => {
    asking = undefined
  })
  return asking
}

/** @param {boolean} wrong */
async function askToken(wrong) {
  const given = await askFor({
    title: wrong ? 'That token was not accepted' : 'Admin token required',
    text: 'This API requires the admin token (ADMIN_TOKEN). It is kept until you sign out or close this tab.',
    fields: [{ name: 'token', label: 'Token', type: 'password', pattern: '[!-~]+', autocomplete: 'current-password' }],
    action: 'Continue',
  })
  if (!given) return undefined
  sessionStorage.setItem(tokenKey, given.token)
  changed()
  return given.token
}

/** Forgets name and token, and all that the page has read with them. */
export function signOut() {
  localStorage.removeItem(nameKey)
  sessionStorage.removeItem(tokenKey)
  location.reload()
}
