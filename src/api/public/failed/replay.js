// @ts-check
import { write } from '../actions.js'
import { openDialog } from '../lib/dialog.js'
import { element, notice, setData, show } from '../lib/dom.js'
import { exact, orders } from '../lib/format.js'
import { jobEnd } from './entry.js'
import { failedAgain, rehearsed, replayed } from './replay-text.js'

/** @typedef {import('../lib/dom.js').Kind} Kind */
/** @typedef {import('./entry.js').Job} Job */

/**
 * Replays all orders of a group's code. A dry run first says how many would pass; the operator then decides. A replay that
 * runs can be stopped. It goes on if the dialog is closed.
 * @param {{ code: string, all: readonly { count: number }[] }} group
 */
export async function askReplay({ code, all }) {
  const count = all.reduce((sum, group) => sum + group.count, 0)
  const others = all.length > 1 ? `, for all ${all.length} reasons of that code` : ''
  const about = `A replay requeues all ${orders(count)} of code ${code}${others}.`
  const view = openReplayDialog(`Replay ${code}`, about, { go: () => run(false), stop })
  let isDryRun = true
  /** @type {string | undefined} */
  let running
  const following = new AbortController()
  view.dialog.addEventListener('close', () => {
    if (isDryRun) following.abort()
    else if (running) notice(`The replay of ${code} goes on. It is under Jobs.`, 'warn')
  })

  /** @param {boolean} dryRun */
  async function run(dryRun) {
    isDryRun = dryRun
    view.begin(dryRun ? 'Dry run: checks the orders, sends nothing.' : 'Requeuing.')
    const { reply, failure } = await write('POST', 'orders/replay', { code, dryRun })
    if (reply) await follow(reply.job_id)
    else if (failure === undefined) view.dialog.close()
    else view.end(failure, 'bad')
  }

  /** @param {string} id */
  async function follow(id) {
    running = id
    view.offer(isDryRun ? undefined : 'stop')
    try {
      const result = await jobEnd(id, (job) => view.progress(job, isDryRun ? 'checked' : 'judged'), following.signal)
      const isGood = failedAgain(result) === 0 && !result.cancelled
      end(isDryRun ? rehearsed(result) : replayed(result, view.asked()), isGood ? 'good' : 'warn')
      const helps = result.admitted + result.returned > 0
      if (isDryRun && !result.cancelled)
        view.offer('go', helps ? `Replay ${orders(count)}` : 'Replay all the same', helps)
    } catch (error) {
      if (!following.signal.aborted) end(error instanceof Error ? error.message : String(error), 'bad')
    }
    running = undefined
  }

  /**
   * @param {string} text
   * @param {Kind} kind
   */
  function end(text, kind) {
    view.end(text, kind)
    if (!isDryRun && !view.dialog.open) notice(text, kind)
  }

  async function stop() {
    if (!running) return
    const { reply, failure } = await write('DELETE', `jobs/${running}`, {})
    if (failure !== undefined) return running && view.say(failure, 'bad')
    if (!reply || !running) return
    if (reply.status === 'stopping') return view.stopping(`Stopping: ${exact(reply.sent)} had been sent.`)
    following.abort()
    view.end('Cancelled: nothing was sent.', 'good')
  }

  await run(true)
}

/**
 * Opens the dialog of a replay. One of its buttons is bright: the replay if it helps, else Close.
 * @param {string} title
 * @param {string} about
 * @param {{ go: () => unknown, stop: () => unknown }} actions
 */
function openReplayDialog(title, about, actions) {
  const message = element('p', { role: 'status', class: 'message' })
  const bar = element('progress', { 'aria-label': 'Orders checked' })
  const stop = element('button', { type: 'button', class: 'danger', onclick: actions.stop }, 'Stop the replay')
  const close = element('button', { type: 'button', onclick: () => dialog.close() }, 'Close')
  const go = element('button', { type: 'button', onclick: actions.go }, 'Replay')
  const buttons = element('div', { class: 'buttons' }, stop, close, go)
  const dialog = openDialog(title, element('p', {}, about), bar, message, buttons)
  let isStopping = false

  /** @param {'go' | 'stop' | undefined} offered a button besides Close */
  function offer(offered, label = '', helps = false) {
    const focused = document.activeElement
    go.hidden = offered !== 'go'
    stop.hidden = offered !== 'stop'
    if (offered === 'go') show(go, label)
    go.className = helps ? 'main' : 'quiet'
    close.className = helps ? 'quiet' : 'main'
    if (focused instanceof HTMLElement && focused.hidden) close.focus()
  }

  /**
   * @param {string} text
   * @param {Kind} [kind]
   */
  function say(text, kind) {
    show(message, text)
    setData(message, 'kind', kind)
  }

  return {
    ...{ dialog, offer, say },
    asked: () => bar.max,
    begin: (/** @type {string} */ text) => {
      offer(undefined)
      bar.hidden = false
      bar.removeAttribute('value')
      say(text)
    },
    end: (/** @type {string} */ text, /** @type {Kind} */ kind) => {
      offer(undefined)
      bar.hidden = true
      say(text, kind)
    },
    stopping: (/** @type {string} */ text) => {
      isStopping = true
      offer(undefined)
      say(text, 'warn')
    },
    progress: (/** @type {Job} */ { state, progress: at, warning }, /** @type {string} */ done) => {
      if (at) bar.max = Math.max(1, at.total)
      if (isStopping) return
      if (state === 'waiting') return say(warning ?? 'Waiting for a jobs process.')
      if (!at) return
      bar.value = at.done
      say(`${exact(at.done)} of ${exact(at.total)} ${done}.`)
    },
  }
}
