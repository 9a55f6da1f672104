// @ts-check
import { find } from '../lib/dom.js'
import { clock, duration, exact, rate, utcClock, zone } from '../lib/format.js'
import { makePlot } from './plot.js'

/** @typedef {import('../../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./plot.js').Drawn} Drawn */

const place = find('#plots')
const span = 'the last 15 minutes'
const points = { show: true, size: 5, filter: lonely }
const line = () => ({ points })
/** @param {string} stroke */
const filled = (stroke) => ({ points, fill: `${stroke}1f` })

/** @type {import('./plot.js').Kind} */
const minutes = {
  tick: (seconds) => clock(seconds * 1_000, { hour: '2-digit', minute: '2-digit' }),
  moment: (seconds) => {
    const utc = zone === 'UTC' ? '' : ` (${utcClock(seconds * 1_000)} UTC)`
    return `${clock(seconds * 1_000)} ${zone}${utc}`
  },
}

const flowPlot = makePlot(
  place,
  'Orders ranked and rejected a second',
  [
    { label: 'ranked/s', color: '--accent', text: rate, exact, look: filled },
    { label: 'rejected/s', color: '--bad', text: rate, exact, look: filled },
  ],
  minutes,
)
/** @param {number} ms */
const exactMs = (ms) => `${exact(ms)} ms`
const criticalPlot = makePlot(
  place,
  'Time from SQS to rank',
  [
    { label: 'p50', color: '--accent', text: duration, exact: exactMs, look: line },
    { label: 'p99', color: '--second', text: duration, exact: exactMs, look: line },
  ],
  minutes,
)

/** @param {Snapshot} snapshot */
export function drawPlots({ timeline }) {
  const from = Date.parse(timeline.from)
  const times = timeline.ranked.map((_, at) => (from + (at + 1) * timeline.slot_ms) / 1_000)
  const [ranked, rejected] = [timeline.ranked, timeline.rejected].map((list) =>
    list.map((orders) => orders / (timeline.slot_ms / 1_000)),
  )
  const text = `Ranked: ${rateText(ranked)}. Rejected: ${rateText(rejected)}.`
  flowPlot.draw([times, ranked ?? [], rejected ?? []], { text, span })
  const [p50, p99] = [timeline.p50_ms, timeline.p99_ms].map((list) => list.findLast((ms) => ms !== null) ?? null)
  const critical = p50 === null ? 'No order was ranked' : `Last p50 ${duration(p50)}, p99 ${duration(p99)}`
  criticalPlot.draw([times, timeline.p50_ms, timeline.p99_ms], { text: critical, span })
}

/** @param {number[]} [perSecond] */
const rateText = (perSecond = []) =>
  `last ${rate(perSecond.at(-1) ?? 0)} a second, ${rate(Math.max(0, ...perSecond))} at most`

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
