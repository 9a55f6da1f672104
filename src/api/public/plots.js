// @ts-check
import { element, find, setData, show } from './lib/dom.js'
import { label } from './lib/explain.js'
import { clock, duration, exact, rate, utcClock, zone } from './lib/format.js'
import Plot from './uplot/uPlot.esm.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {(number | null)[]} Values */
/** @typedef {{ label: string, color: string, fill?: boolean, text(value: number): string }} Series */
/** @typedef {import('uplot')} Drawn */

const place = find('#plots')
const dark = matchMedia('(prefers-color-scheme: dark)')

const flowPlot = makePlot('Orders ranked and rejected a second', [
  { label: 'ranked/s', color: '--accent', fill: true, text: rate },
  { label: 'rejected/s', color: '--bad', fill: true, text: rate },
])
const criticalPlot = makePlot('Time from SQS to rank', [
  { label: 'p50', color: '--accent', text: duration },
  { label: 'p99', color: '--second', text: duration },
])

/** @param {Snapshot} snapshot */
export function drawPlots({ timeline }) {
  const from = Date.parse(timeline.from)
  const times = timeline.ranked.map((_, at) => (from + (at + 1) * timeline.slot_ms) / 1_000)
  const [ranked, rejected] = [timeline.ranked, timeline.rejected].map((list) =>
    list.map((orders) => orders / (timeline.slot_ms / 1_000)),
  )
  flowPlot.draw([times, ranked ?? [], rejected ?? []], `Ranked: ${rateText(ranked)}. Rejected: ${rateText(rejected)}.`)
  const [p50, p99] = [timeline.p50_ms, timeline.p99_ms].map((list) => list.findLast((ms) => ms !== null) ?? null)
  const text = p50 === null ? 'No order was ranked' : `Last p50 ${duration(p50)}, p99 ${duration(p99)}`
  criticalPlot.draw([times, timeline.p50_ms, timeline.p99_ms], text)
}

/** @param {number[]} [perSecond] */
const rateText = (perSecond = []) =>
  `last ${rate(perSecond.at(-1) ?? 0)} a second, ${rate(Math.max(0, ...perSecond))} at most`

/**
 * @param {string} title
 * @param {Series[]} series
 */
function makePlot(title, series) {
  const canvas = element('div', { class: 'plot', role: 'img' })
  const message = element('p', { class: 'message' })
  const legend = series.length > 1 ? element('ul', { class: 'legend', 'aria-hidden': 'true' }) : ''
  if (legend) legend.append(...series.map(({ label, color }) => element('li', { 'data-color': color }, label)))
  const head = element('figcaption', {}, element('h3', {}, label('plots', title)), legend)
  const figure = element('figure', { class: 'panel' }, head, canvas, message)
  place.append(figure)
  /** @type {Drawn | undefined} */
  let plot
  /** @type {[number[], ...Values[]] | undefined} */
  let drawn
  const create = () => {
    plot?.destroy()
    plot = new Plot(optionsOf(canvas, series), drawn, canvas)
  }
  dark.addEventListener('change', () => drawn && create())
  new ResizeObserver(() => plot?.setSize({ width: canvas.clientWidth, height: canvas.clientHeight })).observe(canvas)
  /**
   * @param {[number[], ...Values[]]} data
   * @param {string} text
   */
  const draw = (data, text) => {
    // A slot is ten seconds long, so nine of ten snapshots bring nothing new.
    if (drawn && JSON.stringify(drawn) === JSON.stringify(data)) return
    drawn = data
    if (plot) plot.setData(data)
    else create()
    setData(figure, 'points', String(data[1]?.filter((value) => value !== null && value > 0).length))
    show(message, text)
    canvas.setAttribute('aria-label', `${title} over the last 15 minutes: ${text}`)
  }
  return { draw }
}

/**
 * @param {HTMLElement} canvas
 * @param {Series[]} series
 * @returns {import('uplot').Options}
 */
function optionsOf(canvas, series) {
  const style = getComputedStyle(document.documentElement)
  /** @param {string} name */
  const color = (name) => style.getPropertyValue(name).trim()
  const axis = { stroke: color('--muted'), font: '12px system-ui, sans-serif', ticks: { show: false } }
  const grid = { stroke: color('--edge'), width: 1 }
  const text = series[0]?.text ?? String
  return {
    width: canvas.clientWidth,
    height: canvas.clientHeight,
    padding: [12, 22, 0, 0], // half a time, which is centered below its tick
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    plugins: [readout(series)],
    scales: { y: { range: (_, __, highest) => [0, Math.max(1, (highest ?? 0) * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 70, values: (_, ticks) => ticks.map(minuteOf) },
      {
        ...axis,
        grid,
        size: 62,
        space: 36,
        values: (_, ticks) => ticks.map((value) => (value === 0 ? '0' : text(value))),
      },
    ],
    series: [
      {},
      ...series.map(({ label, color: name, fill }) => ({
        label,
        stroke: color(name),
        width: 1.5,
        points: { show: true, size: 5, filter: lonely },
        ...(fill && { fill: `${color(name)}1f` }),
      })),
    ],
  }
}

/**
 * Finds the points without neighbors, which no line would show.
 * @param {Drawn} plot
 * @param {number} seriesAt
 * @returns {number[]}
 */
function lonely({ data }, seriesAt) {
  const values = [...(data[seriesAt] ?? [])]
  /** @param {number} at */
  const isThere = (at) => values[at] !== null && values[at] !== undefined
  return values.flatMap((_, at) => (isThere(at) && !isThere(at - 1) && !isThere(at + 1) ? [at] : []))
}

/** @param {number} seconds */
const minuteOf = (seconds) => clock(seconds * 1_000, { hour: '2-digit', minute: '2-digit' })

/**
 * Shows the exact values at the time under the pointer.
 * @param {Series[]} series
 * @returns {import('uplot').Plugin}
 */
function readout(series) {
  const box = element('p', { class: 'readout', hidden: true })
  const setCursor = (/** @type {Drawn} */ { cursor: { idx, left = -1 }, data }) => {
    box.hidden = idx === null || idx === undefined || left < 0
    if (idx === null || idx === undefined || box.hidden) return
    const values = series.map(({ label }, at) => `${label} ${valueAt(data[at + 1]?.[idx], label)}`)
    const time = (data[0][idx] ?? 0) * 1_000
    const utc = zone === 'UTC' ? '' : ` (${utcClock(time)} UTC)`
    show(box, `${clock(time)} ${zone}${utc}  ${values.join('  ')}`)
  }
  return { hooks: { ready: ({ root }) => void root.append(box), setCursor } }
}

/**
 * @param {number | null | undefined} value
 * @param {string} label
 */
const valueAt = (value, label) =>
  value === null || value === undefined ? '–' : `${exact(value)}${label.endsWith('/s') ? '' : ' ms'}`
