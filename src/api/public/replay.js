import { act } from './actions.js'
import { jobEnd } from './entry.js'
import { openDialog } from './lib/dialog.js'
import { element, setData, show } from './lib/dom.js'
import { exact, orders } from './lib/format.js'

/** Replays all orders of a group's code: first a dry run, which says what would pass; then, if wanted, for good. */
export async function askReplay({ code, all }) {
  const count = all.reduce((sum, group) => sum + group.count, 0)
  const others = all.length > 1 ? `, for all ${all.length} reasons of that code` : ''
  const about = element('p', {}, `A replay sends all ${orders(count)} of code ${code} round again${others}.`)
  const told = element('p', { role: 'status', class: 'told' })
  const bar = element('progress', { 'aria-label': 'Orders judged' })
  const close = element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Close')
  const go = element('button', { type: 'button', class: 'main', hidden: true, onclick: () => run(false) }, 'Replay')
  const dialog = openDialog(`Replay ${code}`, about, bar, told, element('div', { class: 'buttons' }, close, go))

  async function run(dryRun) {
    go.hidden = true
    bar.hidden = false
    bar.removeAttribute('value')
    tell(dryRun ? 'Dry run: judging by the rules, nothing is sent.' : 'Sending them round.')
    const reply = await act('POST', 'orders/replay', { code, dryRun })
    if (!reply) return dialog.close()
    try {
      const result = await jobEnd(reply.job_id, progress)
      tell(dryRun ? rehearsed(result) : replayed(result), failedAgain(result) > 0 ? 'warn' : 'good')
      show(go, result.admitted > 0 ? `Replay ${orders(count)}` : 'Replay all the same')
      go.hidden = !dryRun
    } catch (error) {
      tell(error.message, 'bad')
    }
    bar.hidden = true
  }

  function progress({ state, progress: at, warning }) {
    if (state === 'waiting') return tell(warning ?? 'Waiting for a jobs process to take it.')
    if (!at) return
    bar.max = Math.max(1, at.total)
    bar.value = at.done
    tell(`${exact(at.done)} of ${exact(at.total)} judged.`)
  }

  function tell(text, kind) {
    show(told, text)
    setData(told, 'kind', kind)
  }

  await run(true)
}

const failedAgain = ({ conflict, rejected }) => Object.values(rejected).reduce((sum, count) => sum + count, conflict)

function codesIn({ rejected }) {
  const codes = Object.entries(rejected).map(([code, count]) => `${code} ${exact(count)}`)
  return codes.length > 0 ? ` (${codes.join(', ')})` : ''
}

function rehearsed(result) {
  return `${exact(result.admitted)} would keep the rules, ${exact(failedAgain(result))} would not${codesIn(result)}. Nothing was sent.`
}

function replayed(result) {
  const told = [
    `${exact(result.sent)} sent: ${exact(result.admitted)} admitted`,
    ...(result.duplicate > 0 ? [`${exact(result.duplicate)} duplicates`] : []),
    ...(result.returned > 0 ? [`${exact(result.returned)} returned to their stage`] : []),
    `${exact(failedAgain(result))} failed again${codesIn(result)}`,
  ]
  return `${told.join(', ')}.`
}
