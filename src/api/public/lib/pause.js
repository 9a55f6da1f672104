// @ts-check
import { element, find, show } from './dom.js'
import { explain, explained } from './explain.js'
import { ago, exactTime } from './format.js'
import { printable } from './printable.js'

/** @typedef {NonNullable<import('../../live/snapshot.ts').Snapshot['hops'][number]['paused']>} Pause */

/** @param {string} name the component */
export function makePause(name) {
  const more = explained('more', `about-pause-${name}`)
  more.className = 'more'
  more.setAttribute('aria-label', `more about the pause of ${name}`)
  return element('div', { class: 'paused', hidden: true }, element('p', { dir: 'auto' }), more)
}

/**
 * Shows by whom a component is paused, since when and why, in two lines. A button shows all of a long reason.
 * @param {HTMLElement} place
 * @param {Pause | null} paused
 * @param {number} now ms
 */
export function drawPause(place, paused, now) {
  place.hidden = paused === null
  if (!paused) return
  const [by, why] = [printable(paused.by), paused.reason ? `: ${printable(paused.reason)}` : '']
  const text = find('p', place)
  const more = find('.more', place)
  show(text, `Paused by ${by}${paused.ts ? ` ${ago(paused.ts, now)}` : ''}${why}`, paused.ts && exactTime(paused.ts))
  explain(more, `Paused by ${by}${paused.ts ? ` on ${exactTime(paused.ts)}` : ''}${why}`)
  more.hidden = !paused.ts && text.scrollHeight <= text.clientHeight
}
