// @ts-check
import { element, setData, show } from '../lib/dom.js'
import { identityIn } from '../lib/json.js'

/** @typedef {import('../lib/dom.js').Kind} Kind */
/** @typedef {{ user: string, order: string }} Identity */
/** @typedef {{ text: string, kind: Kind, links?: Identity | undefined, invalidId?: string | undefined }} Result */

/**
 * Makes the box in a group's panel that says what became of an order. It stays until it is dismissed.
 * @param {{ dismiss: () => unknown, editAgain: (id: string) => unknown }} actions
 */
export function makeResultBox({ dismiss, editAgain }) {
  /** @type {Result} */
  let shown = { text: '', kind: undefined }
  const text = element('p', { role: 'status' })
  const links = element('p', { class: 'links' })
  const close = element('button', { type: 'button', class: 'main', onclick: dismiss }, 'Dismiss')
  const again = element(
    'button',
    { type: 'button', class: 'quiet', onclick: () => shown.invalidId && editAgain(shown.invalidId) },
    'Edit again…',
  )
  const box = element(
    'div',
    { class: 'result', hidden: true },
    text,
    links,
    element('div', { class: 'buttons' }, again, close),
  )
  return {
    element: box,
    isOpen: () => !box.hidden,
    close: () => {
      box.hidden = true
    },
    /** @param {Result} result */
    show: (result) => {
      const wasHidden = box.hidden
      shown = result
      box.hidden = false
      show(text, result.text)
      setData(text, 'kind', result.kind)
      links.replaceChildren(...(result.links ? linksOf(result.links) : []))
      again.hidden = result.invalidId === undefined
      if (wasHidden) close.focus()
    },
  }
}

/** @param {Identity} identity */
function linksOf({ user, order }) {
  const [userPart, orderPart] = [encodeURIComponent(user), encodeURIComponent(order)]
  /**
   * @param {string} href
   * @param {string} label
   */
  const link = (href, label) => element('a', { href, target: '_blank' }, label)
  return [
    link(`users/${userPart}/stats`, 'Totals of the user'),
    link(`orders/${userPart}/${orderPart}/trace`, 'Trace of the order'),
  ]
}

/**
 * Names an order in a sentence. Each id is isolated: one in another direction of writing would turn the sentence around.
 * @param {string} text of the order
 */
export function nameOf(text) {
  const identity = identityIn(text)
  return identity ? `order ${isolated(identity.order)} of ${isolated(identity.user)}` : 'the order'
}

/** @param {string} id */
const isolated = (id) => `\u2068${id}\u2069`

/**
 * Says what became of an order that was edited.
 * @param {string} text that was sent
 * @param {{ verdict: string, reason?: string, hint?: string, invalid_id?: string }} verdict
 * @returns {Result}
 */
export function resultOf(text, { verdict, reason, hint, invalid_id: invalidId }) {
  const [name, links] = [nameOf(text), identityIn(text)]
  if (verdict === 'admitted') return { text: `Admitted: ${name}.`, kind: 'good', links }
  if (verdict === 'corrected') return { text: `Corrected: ${name}.`, kind: 'good', links }
  if (verdict === 'duplicate') return { text: `A duplicate: ${name} was admitted before.`, kind: 'good', links }
  if (verdict === 'cancelled') return { text: `Cancelled: ${name} was not sent.`, kind: 'warn' }
  return { text: `Rejected again: ${reason}.${hint ? ` ${hint}` : ''}`, kind: 'bad', invalidId }
}
