// @ts-check
import { element, show } from '../lib/dom.js'
import { exact, exactTime } from '../lib/format.js'
import { pretty } from '../lib/json.js'

/** @typedef {import('./entry.js').Entry} Entry */

/** Characters of one order that are shown here. The editor has all of it. */
const maxShown = 5_000

/** Shows one order: what is wrong with it, and its text. */
export function makeOrderView() {
  const about = element('p', { class: 'about' })
  const text = element('pre', { tabindex: '0', 'aria-label': 'An order that failed' })
  return {
    elements: [about, text],
    draw: (/** @type {Entry} */ entry) => {
      show(about, aboutOf(entry), exactTime(entry.ts))
      show(text, shownText(entry))
    },
    say: (/** @type {string} */ message) => show(about, message),
    clear: (/** @type {string} */ message) => {
      show(about, message)
      show(text, '')
    },
  }
}

/** @param {Entry} entry */
function aboutOf({ id, reason, hint, attempts, stage, first_reason, edits, retry }) {
  const sentences = [
    `${id}: ${reason}.`,
    hint,
    attempts > 1 ? `Rejected ${attempts} times${first_reason ? `, first for “${first_reason}”` : ''}.` : '',
    stage ? `Stage ${stage} rejected it after it was admitted: replay it as it is.` : '',
    retry ? retryText(retry) : '',
    edits ? `Edited by ${edits.map(({ by }) => by).join(', ')}.` : '',
  ]
  return sentences.filter(Boolean).join(' ')
}

/** @param {NonNullable<Entry['retry']>} retry */
function retryText({ next, given_up }) {
  if (given_up || next === undefined) return 'Its retries are used up: replay it once its cause is gone, or discard it.'
  return Date.parse(next) > Date.now()
    ? `It is retried by itself at ${exactTime(next)}.`
    : 'It is retried by itself now.'
}

/** @param {Entry} entry */
function shownText({ text, raw_base64 }) {
  if (text === undefined && raw_base64 === undefined) return '(not kept)'
  if (text === undefined) return `(not text; in base64: ${raw_base64})`.slice(0, maxShown)
  const lines = pretty(text)
  const more = lines.length - maxShown
  return more > 0 ? `${lines.slice(0, maxShown)}\n… ${exact(more)} more characters` : lines
}
