// @ts-check
import { act } from './actions.js'
import { jobEnd } from './entry.js'
import { openDialog } from './lib/dialog.js'
import { element, setData, show } from './lib/dom.js'
import { exact, orders } from './lib/format.js'

/**
 * The result of a replay.
 * @typedef {object} Result
 * @property {number} sent
 * @property {number} admitted
 * @property {number} duplicate
 * @property {number} conflict
 * @property {number} returned
 * @property {Record<string, number>} rejected orders by code
 */

/**
 * Replays all orders of a group's code. A dry run first says how many would pass; the operator then decides.
 * @param {{ code: string, all: readonly { count: number }[] }} group
 */
export async function askReplay({ code, all }) {
  const count = all.reduce((sum, group) => sum + group.count, 0)
  const others = all.length > 1 ? `, for all ${all.length} reasons of that code` : ''
  const about = element('p', {}, `A replay requeues all ${orders(count)} of code ${code}${others}.`)
  const message = element('p', { role: 'status', class: 'message' })
  const bar = element('progress', { 'aria-label': 'Orders checked' })
  const close = element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Close')
  const go = element('button', { type: 'button', class: 'main', hidden: true, onclick: () => run(false) }, 'Replay')
  const dialog = openDialog(`Replay ${code}`, about, bar, message, element('div', { class: 'buttons' }, close, go))

  /** @param {boolean} dryRun */
  async function run(dryRun) {
    go.hidden = true
    bar.hidden = false
    bar.removeAttribute('value')
    say(dryRun ? 'Dry run: checks the orders, sends nothing.' : 'Requeuing.')
    const reply = await act('POST', 'orders/replay', { code, dryRun })
    if (!reply) return dialog.close()
    try {
      const result = await jobEnd(reply.job_id, progress)
      say(dryRun ? rehearsed(result) : replayed(result), failedAgain(result) > 0 ? 'warn' : 'good')
      show(go, result.admitted + result.returned > 0 ? `Replay ${orders(count)}` : 'Replay anyway')
      go.hidden = !dryRun
    } catch (error) {
      say(error instanceof Error ? error.message : String(error), 'bad')
    }
    bar.hidden = true
  }

  /** @param {import('./entry.js').Job} job */
  function progress({ state, progress: at, warning }) {
    if (state === 'waiting') return say(warning ?? 'Waiting for a jobs process.')
    if (!at) return
    bar.max = Math.max(1, at.total)
    bar.value = at.done
    say(`${exact(at.done)} of ${exact(at.total)} checked.`)
  }

  /**
   * @param {string} text
   * @param {import('./lib/dom.js').Kind} [kind]
   */
  function say(text, kind) {
    show(message, text)
    setData(message, 'kind', kind)
  }

  await run(true)
}

/** @param {Result} result */
const failedAgain = ({ conflict, rejected }) => Object.values(rejected).reduce((sum, count) => sum + count, conflict)

/** @param {Result} result */
function codesIn({ rejected }) {
  const codes = Object.entries(rejected).map(([code, count]) => `${code} ${exact(count)}`)
  return codes.length > 0 ? ` (${codes.join(', ')})` : ''
}

/** @param {Result} result */
function rehearsed(result) {
  const stages = result.returned > 0 ? ` and ${exact(result.returned)} their stage` : ''
  return `${exact(result.admitted)} would pass the rules${stages}, ${exact(failedAgain(result))} would not${codesIn(result)}. Nothing was sent.`
}

/** @param {Result} result */
function replayed(result) {
  const parts = [
    `${exact(result.sent)} sent: ${exact(result.admitted)} admitted`,
    ...(result.duplicate > 0 ? [`${exact(result.duplicate)} duplicates`] : []),
    ...(result.returned > 0 ? [`${exact(result.returned)} returned to their stage`] : []),
    `${exact(failedAgain(result))} failed again${codesIn(result)}`,
  ]
  return `${parts.join(', ')}.`
}
