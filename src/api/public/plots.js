import { element, setData, show } from './lib/dom.js'
import { clock, duration, exact, rate } from './lib/format.js'
import Plot from './uplot/uPlot.esm.js'

const place = document.querySelector('#plots')
const dark = matchMedia('(prefers-color-scheme: dark)')
const height = 180

const rankedPlot = makePlot('Orders ranked a second', [
  { label: 'orders/s', color: '--accent', fill: true, text: rate },
])
const criticalPlot = makePlot('Time from SQS to rank', [
  { label: 'p50', color: '--accent', text: duration },
  { label: 'p99', color: '--second', text: duration },
])

export function drawPlots({ timeline }) {
  const from = Date.parse(timeline.from)
  const times = timeline.ranked.map((_, at) => (from + (at + 1) * timeline.slot_ms) / 1_000)
  const perSecond = timeline.ranked.map((orders) => orders / (timeline.slot_ms / 1_000))
  const newest = perSecond.at(-1) ?? 0
  const most = Math.max(0, ...perSecond)
  rankedPlot.draw([times, perSecond], `Last ${rate(newest)} a second, ${rate(most)} at most`)
  const [p50, p99] = [timeline.p50_ms, timeline.p99_ms].map((list) => list.findLast((ms) => ms !== null) ?? null)
  const told = p50 === null ? 'No order was ranked' : `Last p50 ${duration(p50)}, p99 ${duration(p99)}`
  criticalPlot.draw([times, timeline.p50_ms, timeline.p99_ms], told)
}

function makePlot(title, series) {
  const canvas = element('div', { class: 'plot', role: 'img' })
  const told = element('p', { class: 'told' })
  const legend = series.length > 1 ? element('ul', { class: 'legend', 'aria-hidden': 'true' }) : ''
  if (legend) legend.append(...series.map(({ label, color }) => element('li', { 'data-color': color }, label)))
  const head = element('figcaption', {}, element('h3', {}, title), legend)
  const figure = element('figure', { class: 'panel' }, head, canvas, told)
  place.append(figure)
  let plot
  let drawn
  const create = () => {
    plot?.destroy()
    plot = new Plot(optionsOf(canvas, series), drawn, canvas)
  }
  dark.addEventListener('change', () => drawn && create())
  new ResizeObserver(() => plot?.setSize({ width: canvas.clientWidth, height })).observe(canvas)
  const draw = (data, text) => {
    // Slots are ten seconds: nine of ten snapshots bring nothing new.
    if (drawn && JSON.stringify(drawn) === JSON.stringify(data)) return
    drawn = data
    if (plot) plot.setData(data)
    else create()
    setData(figure, 'points', String(data[1].filter((value) => value !== null && value > 0).length))
    show(told, text)
    canvas.setAttribute('aria-label', `${title} over the last 15 minutes: ${text}`)
  }
  return { draw }
}

function optionsOf(canvas, series) {
  const style = getComputedStyle(document.documentElement)
  const color = (name) => style.getPropertyValue(name).trim()
  const axis = { stroke: color('--muted'), font: '12px system-ui, sans-serif', ticks: { show: false } }
  const grid = { stroke: color('--edge'), width: 1 }
  const [{ text }] = series
  return {
    width: canvas.clientWidth,
    height,
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    plugins: [readout(series)],
    scales: { y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.1)] } },
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

/** A point without neighbours is no line: it is drawn as a point. */
function lonely({ data }, seriesAt) {
  const values = data[seriesAt]
  const isThere = (at) => values[at] !== null && values[at] !== undefined
  return values.flatMap((_, at) => (isThere(at) && !isThere(at - 1) && !isThere(at + 1) ? [at] : []))
}

const minuteOf = (seconds) => clock(seconds * 1_000, { hour: '2-digit', minute: '2-digit' })

/** What stood there at the time under the pointer, exact. */
function readout(series) {
  const box = element('p', { class: 'readout', hidden: true })
  const setCursor = ({ cursor: { idx, left }, data }) => {
    box.hidden = idx === null || idx === undefined || left < 0
    if (box.hidden) return
    const values = series.map(({ label }, at) => `${label} ${valueAt(data[at + 1][idx], label)}`)
    show(box, `${clock(data[0][idx] * 1_000)}  ${values.join('  ')}`)
  }
  return { hooks: { ready: ({ root }) => root.append(box), setCursor } }
}

const valueAt = (value, label) => (value === null ? '–' : `${exact(value)}${label === 'orders/s' ? '' : ' ms'}`)
