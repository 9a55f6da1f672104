// @ts-check
import { element, find } from './dom.js'
import { exactTime } from './format.js'

const place = find('#unknown')
const openedAt = Date.now()

/**
 * Says in place of the sections why nothing is known, while no snapshot has come since the page was opened. The style hides
 * it with the first one.
 * @param {string} why a clause without a full stop
 * @param {string | undefined} since when the API noticed
 */
export function drawUnknown(why, since) {
  if ('known' in document.body.dataset) return
  const from = exactTime(since ?? openedAt)
  const text = `${why}, since ${from} or longer.`
  if (place.firstChild?.textContent === text) return
  const help = element('a', { href: 'runbook#ordersredisaway' }, 'What to do: the runbook')
  place.replaceChildren(
    element('strong', {}, text),
    element('p', {}, 'Nothing is known until then. This page goes on by itself.'),
    ...(since === undefined ? [] : [element('p', {}, help)]),
  )
}
