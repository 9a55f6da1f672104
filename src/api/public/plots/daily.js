// @ts-check
import { dayNumber, dayOf, dayText, isMonday, rangeText, shortDay } from '../lib/days.js'
import { find, show } from '../lib/dom.js'
import { exact, minorOf, money, number } from '../lib/format.js'
import { makeReading, readJson } from '../reading.js'
import Plot from '../uplot/uPlot.esm.js'
import { makeDayTable } from './day-table.js'
import { makePlot } from './plot.js'

/** @typedef {import('../../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {{ day: string, orders: number, revenue: number, cancelled: number, refunded: number }} Day amounts in minor units */
/** @typedef {{ days: Day[], from: string, to: string, timezone: string, closed: boolean, since?: string }} Daily */

const everyMs = 10_000
const section = find('.of-days')
const title = find('#days-title')
const about = find('#days-text')
const place = find('#days')

/** @type {import('../lib/format.js').Currency} */
let format = {}

/** @type {import('./plot.js').Kind} x: the number of a day */
const byDay = {
  isBars: true,
  tick: (number) => shortDay(dayOf(number)),
  moment: (number) => dayText(dayOf(number)),
  scale: { time: false, range: (_, first, last) => [first - 0.6, last + 0.6] },
  x: { splits: ({ data: [numbers] }) => [...numbers].filter((number) => isMonday(number)) },
}
/** Steps of the y axis: no part of an order, and no part of a cent. */
const incrs = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()
const y = { incrs, space: 28 }

/**
 * Draws bars. The last day is not over, and its bar is pale.
 * @param {string} color
 */
function bars(color) {
  const values = (/** @type {import('./plot.js').Drawn} */ { data: [numbers] }) =>
    [...numbers].map((number) => (number === numbers.at(-1) ? `${color}80` : color))
  const paths = Plot.paths.bars?.({ size: [0.72, 28], disp: { fill: { unit: 3, values } } })
  return { width: 0, points: { show: false }, fill: color, ...(paths && { paths }) }
}

/** @param {number} minor */
const unitsText = (minor) => number(minor / 10 ** (format.decimals ?? 2))
const revenuePlot = makePlot(
  place,
  'Revenue a day',
  [{ label: 'revenue', color: '--accent', text: unitsText, exact: (minor) => money(minor, format), look: bars }],
  { ...byDay, y, height: () => 10 ** (format.decimals ?? 2) },
)
const ordersPlot = makePlot(
  place,
  'Orders a day',
  [{ label: 'orders', color: '--accent', text: number, exact, look: bars }],
  { ...byDay, y },
)
const table = makeDayTable(section)

/** @param {Snapshot} snapshot */
export function drawDaily({ calendar, currency, decimals }) {
  section.hidden = !calendar
  format = { currency, decimals }
  follow(calendar?.today)
}

const follow = makeReading(
  everyMs,
  /** @returns {Promise<Daily>} */
  () => readJson('stats/daily'),
  ({ value, why }) => (value ? draw(value) : show(about, `Not known: ${why}`)),
)

/** @param {Daily} daily */
function draw(daily) {
  /** @param {number} amount */
  const minor = (amount) => minorOf(amount, format.decimals)
  const days = daily.days.map(({ day, orders, revenue, cancelled, refunded }) => {
    return { day, orders, revenue: minor(revenue), cancelled: minor(cancelled), refunded: minor(refunded) }
  })
  const span = `the last ${days.length} days`
  show(title, `T${span.slice(1)}`)
  show(about, rangeText(daily))
  const x = days.map(({ day }) => dayNumber(day))
  const [revenue, orders] = [days.map((day) => day.revenue), days.map((day) => day.orders)]
  const of = format.currency ? ` in ${format.currency}` : ''
  revenuePlot.draw([x, revenue], { text: sumText(revenue, (sum) => money(sum, format)), span, of })
  ordersPlot.draw([x, orders], { text: sumText(orders, exact), span })
  table.draw(days, format)
}

/**
 * @param {number[]} values
 * @param {(value: number) => string} text
 */
function sumText(values, text) {
  const sum = values.reduce((one, other) => one + other, 0)
  return `${text(sum)} in all, ${text(values.at(-1) ?? 0)} today so far`
}
