// @ts-check
import { element, find, show } from './dom.js'
import { explain, explained } from './explain.js'

/**
 * Makes a place for a text of at most two lines, with a button that shows all of a longer one.
 * @param {string} kind the class
 * @param {string} id of the whole text
 * @param {string} label of the button
 */
export function makeBrief(kind, id, label) {
  const more = explained('more', id)
  more.className = 'more'
  more.setAttribute('aria-label', label)
  return element('div', { class: `brief ${kind}`, hidden: true }, element('p', { dir: 'auto' }), more)
}

/**
 * @param {HTMLElement} place
 * @param {string | null} text null if there is nothing to say
 * @param {{ whole?: string, title?: string }} [more] `whole`: what the button shows, if that is more than the text
 */
export function drawBrief(place, text, { whole, title } = {}) {
  place.hidden = text === null
  if (text === null) return
  const [line, more] = [find('p', place), find('.more', place)]
  show(line, text, title)
  explain(more, whole ?? text)
  more.hidden = whole === undefined && line.scrollHeight <= line.clientHeight
}
