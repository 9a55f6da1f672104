// @ts-check
import { write } from './actions.js'
import { jobEnd } from './failed/entry.js'
import { failedAgain, passed, rehearsed, replayed } from './failed/replay-text.js'
import { openDialog } from './lib/dialog.js'
import { element, notice, setData, show } from './lib/dom.js'
import { exact } from './lib/format.js'

/** @typedef {import('./lib/dom.js').Kind} Kind */
/** @typedef {import('./failed/entry.js').Job} Job */

/**
 * A job that can be rehearsed: its route, and the words for it.
 * @typedef {object} Asked
 * @property {string} title of the dialog
 * @property {(Node | string)[]} about what it does
 * @property {string} path of its route
 * @property {object} body of its request, without `dryRun`
 * @property {string} name as in "The replay of bad-value goes on"
 * @property {string} stop label of the button that stops it
 * @property {string} running said while it runs
 * @property {string} go label of the button that starts it
 * @property {string} goAnyway the same where it would help no order
 */

/**
 * Runs a job on orders. A dry run first says how many would pass; the operator then decides. A job that runs can be stopped.
 * It goes on if the dialog is closed.
 * @param {Asked} asked
 */
export async function askJob(asked) {
  const { title, about, path, body, name } = asked
  const view = openJobDialog(title, about, asked.stop, { go: () => run(false), stop })
  let isDryRun = true
  /** @type {string | undefined} */
  let running
  const following = new AbortController()
  view.dialog.addEventListener('close', () => {
    if (isDryRun) following.abort()
    else if (running) notice(`The ${name} goes on. It is under Jobs.`, 'warn')
  })

  /** @param {boolean} dryRun */
  async function run(dryRun) {
    isDryRun = dryRun
    view.begin(dryRun ? 'Dry run: checks the orders, sends nothing.' : asked.running)
    const { reply, failure } = await write('POST', path, { ...body, dryRun })
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
      const helps = passed(result) + result.returned > 0
      if (isDryRun && !result.cancelled) view.offer('go', helps ? asked.go : asked.goAnyway, helps)
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
 * Opens the dialog of a job. One of its buttons is bright: the one that starts the job if that helps, else Close.
 * @param {string} title
 * @param {(Node | string)[]} about
 * @param {string} stopLabel
 * @param {{ go: () => unknown, stop: () => unknown }} actions
 */
function openJobDialog(title, about, stopLabel, actions) {
  const message = element('p', { role: 'status', class: 'message' })
  const bar = element('progress', { 'aria-label': 'Orders checked' })
  const stop = element('button', { type: 'button', class: 'danger', onclick: actions.stop }, stopLabel)
  const close = element('button', { type: 'button', onclick: () => dialog.close() }, 'Close')
  const go = element('button', { type: 'button', onclick: actions.go })
  const buttons = element('div', { class: 'buttons' }, stop, close, go)
  const dialog = openDialog(title, element('p', {}, ...about), bar, message, buttons)
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
      if (state === 'delayed') return say('Waiting: the bridge is paused, or the last attempt failed.', 'warn')
      if (!at) return
      bar.value = at.done
      say(`${exact(at.done)} of ${exact(at.total)} ${done}.`)
    },
  }
}
