// @ts-check
import { dayText, shortDay } from '../lib/days.js'
import { element, keep, show } from '../lib/dom.js'
import { exact, money } from '../lib/format.js'

/** @typedef {import('./daily.js').Day} Day */

const columns = ['Day', 'Orders', 'Revenue', 'Cancelled', 'Refunded']
const title = 'Each day as a table'

/**
 * Makes a table of days, closed at first.
 * @param {HTMLElement} place
 */
export function makeDayTable(place) {
  const head = element('tr', {}, ...columns.map((name) => element('th', { scope: 'col' }, name)))
  const body = element('tbody')
  const table = element('table', { class: 'days' }, element('thead', {}, head), body)
  const frame = element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Each day' }, table)
  const text = element('span', {}, title)
  place.append(element('details', { class: 'panel' }, element('summary', {}, text), frame))
  /**
   * @param {Day[]} days
   * @param {import('../lib/format.js').Currency} format
   */
  function draw(days, { currency, decimals }) {
    show(text, currency ? `${title}, amounts in ${currency}` : title)
    keep(body, days.toReversed(), ({ day }) => day, {
      make: ({ day }) =>
        element(
          'tr',
          {},
          element('th', { scope: 'row', title: dayText(day) }, shortDay(day)),
          ...columns.slice(1).map(() => element('td')),
        ),
      draw: (row, { orders, revenue, cancelled, refunded }) => {
        const texts = [exact(orders), ...[revenue, cancelled, refunded].map((minor) => money(minor, { decimals }))]
        for (const [at, text] of texts.entries()) show(/** @type {HTMLElement} */ (row.children[at + 1]), text)
      },
    })
  }
  return { draw }
}
