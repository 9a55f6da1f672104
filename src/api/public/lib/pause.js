// @ts-check
import { drawBrief, makeBrief } from './brief.js'
import { ago, exactTime } from './format.js'
import { printable } from './printable.js'

/** @typedef {NonNullable<import('../../live/snapshot.ts').Snapshot['hops'][number]['paused']>} Pause */

/** @param {string} name the component */
export const makePause = (name) => makeBrief('paused', `about-pause-${name}`, `more about the pause of ${name}`)

/**
 * Shows by whom a component is paused, since when and why.
 * @param {HTMLElement} place
 * @param {Pause | null} paused
 * @param {number} now ms
 */
export function drawPause(place, paused, now) {
  if (!paused) return drawBrief(place, null)
  const [by, why] = [printable(paused.by), paused.reason ? `: ${printable(paused.reason)}` : '']
  if (!paused.ts) return drawBrief(place, `Paused by ${by}${why}`)
  const [whole, title] = [`Paused by ${by} on ${exactTime(paused.ts)}${why}`, exactTime(paused.ts)]
  drawBrief(place, `Paused by ${by} ${ago(paused.ts, now)}${why}`, { whole, title })
}
