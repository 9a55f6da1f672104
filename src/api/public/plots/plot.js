// @ts-check
import { element, setData, show } from '../lib/dom.js'
import { label } from '../lib/explain.js'
import Plot from '../uplot/uPlot.esm.js'

/** @typedef {import('uplot')} Drawn */
/** @typedef {import('uplot').Options} Options */
/** @typedef {(number | null)[]} Values */
/** @typedef {[number[], ...Values[]]} Data the x of each point, and the values of each series */
/**
 * @typedef {object} Series
 * @property {string} label
 * @property {string} color the name of a color of the style
 * @property {(value: number) => string} text at the axis
 * @property {(value: number) => string} exact at the pointer
 * @property {(color: string) => Partial<import('uplot').Series>} look
 */
/**
 * @typedef {object} Kind how the points of a plot are laid out
 * @property {(x: number) => string} tick at the x axis
 * @property {(x: number) => string} moment at the pointer
 * @property {import('uplot').Scale} [scale] of x
 * @property {Partial<import('uplot').Axis>} [x]
 * @property {Partial<import('uplot').Axis>} [y]
 * @property {() => number} [height] the least of the y axis
 * @property {boolean} [isBars]
 */

const dark = matchMedia('(prefers-color-scheme: dark)')

/**
 * Makes a panel with a plot. The color of a series is that of the style, light or dark.
 * @param {HTMLElement} place
 * @param {string} title
 * @param {Series[]} series
 * @param {Kind} kind
 */
export function makePlot(place, title, series, kind) {
  const canvas = element('div', { class: 'plot', role: 'img' })
  const message = element('p', { class: 'message' })
  const unit = element('span', { class: 'muted' })
  const legend = series.length > 1 ? element('ul', { class: 'legend', 'aria-hidden': 'true' }) : ''
  if (legend) legend.append(...series.map(({ label, color }) => element('li', { 'data-color': color }, label)))
  const head = element('figcaption', {}, element('h3', {}, label('plots', title), unit), legend)
  const figure = element('figure', { class: 'panel' }, head, canvas, message)
  place.append(figure)
  /** @type {Drawn | undefined} */
  let plot
  /** @type {Data | undefined} */
  let drawn
  const create = () => {
    plot?.destroy()
    plot = new Plot(optionsOf(canvas, series, kind), drawn, canvas)
  }
  dark.addEventListener('change', () => drawn && create())
  new ResizeObserver(() => plot?.setSize({ width: canvas.clientWidth, height: canvas.clientHeight })).observe(canvas)
  /**
   * @param {Data} data
   * @param {{ text: string, span: string, of?: string }} words `of`: the unit, behind the title
   */
  const draw = (data, { text, span, of = '' }) => {
    show(message, text)
    show(unit, of)
    canvas.setAttribute('aria-label', `${title}${of} over ${span}: ${text}`)
    // Nine of ten snapshots bring nothing new.
    if (drawn && JSON.stringify(drawn) === JSON.stringify(data)) return
    drawn = data
    if (plot) plot.setData(data)
    else create()
    setData(figure, 'points', String(data[1]?.filter((value) => value !== null && value > 0).length))
  }
  return { draw }
}

/**
 * @param {HTMLElement} canvas
 * @param {Series[]} series
 * @param {Kind} kind
 * @returns {Options}
 */
function optionsOf(canvas, series, { tick, moment, scale, x, y, height = () => 1, isBars = false }) {
  const axis = { stroke: color('--muted'), font: '12px system-ui, sans-serif', ticks: { show: false } }
  const grid = { stroke: color('--edge'), width: 1 }
  const text = series[0]?.text ?? String
  return {
    width: canvas.clientWidth,
    height: canvas.clientHeight,
    padding: [12, 22, 0, 0], // half a time, which is centered below its tick
    legend: { show: false },
    cursor: { y: false, points: { size: 7, show: !isBars }, drag: { x: false, y: false } },
    plugins: [readout(series, moment)],
    scales: {
      ...(scale && { x: scale }),
      y: { range: (_, lowest, highest) => [Math.min(0, lowest * 1.1), Math.max(height(), (highest ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 70, ...x, values: (_, ticks) => ticks.map(tick) },
      {
        ...axis,
        grid,
        size: 62,
        space: 36,
        ...y,
        values: (_, ticks) => ticks.map((value) => (value === 0 ? '0' : text(value))),
      },
    ],
    series: [
      {},
      ...series.map(({ label, color: name, look }) => {
        const stroke = color(name)
        return { label, stroke, width: 1.5, ...look(stroke) }
      }),
    ],
  }
}

/**
 * Returns a color of the style, as it is now.
 * @param {string} name
 */
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/**
 * Shows the exact values of the point under the pointer.
 * @param {Series[]} series
 * @param {(x: number) => string} moment
 * @returns {import('uplot').Plugin}
 */
function readout(series, moment) {
  const box = element('p', { class: 'readout', hidden: true })
  const setCursor = (/** @type {Drawn} */ { cursor: { idx, left = -1 }, data }) => {
    box.hidden = idx === null || idx === undefined || left < 0
    if (idx === null || idx === undefined || box.hidden) return
    const values = series.map(({ label, exact }, at) => `${label} ${valueText(data[at + 1]?.[idx], exact)}`)
    show(box, `${moment(data[0][idx] ?? 0)}  ${values.join('  ')}`)
  }
  return { hooks: { ready: ({ root }) => void root.append(box), setCursor } }
}

/**
 * @param {number | null | undefined} value
 * @param {(value: number) => string} text
 */
const valueText = (value, text) => (value === null || value === undefined ? '–' : text(value))
