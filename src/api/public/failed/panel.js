// @ts-check
import { element, notice, show } from '../lib/dom.js'
import { ago, exactTime, number } from '../lib/format.js'
import { discardEntry } from './discard.js'
import { editEntry } from './edit.js'
import { jobEnd } from './entry.js'
import { makeReader, messageOf } from './reader.js'
import { askReplay } from './replay.js'
import { makeResultBox, nameOf, resultOf } from './result.js'

/** @typedef {import('./failed.js').Group} Group */
/** @typedef {import('./result.js').Result} Result */
/** @typedef {{ text: string, jobId: string }} Sent */

/**
 * Shows one order of a group in full, with the actions on it and on the whole group.
 * @param {HTMLElement} body
 * @param {(group: Group, isHeld: boolean) => void} hold keeps the group on the page, though none of its orders failed
 */
export function makePanel(body, hold) {
  /** @type {Group | undefined} */
  let group
  const since = element('p', { class: 'muted' })
  const replay = button('Replay all…', () => group && askReplay(group))
  const one = makeOne((isHeld) => group && hold(group, isHeld))
  body.append(element('div', { class: 'group-head' }, since, replay), ...one.elements)
  return {
    open: one.open,
    draw: (/** @type {Group} */ next, /** @type {number} */ now) => {
      group = next
      replay.hidden = next.count === 0
      const all = `${number(group.count)} since ${exactTime(group.first)} (${ago(group.first, now)})`
      show(since, next.count === 0 ? 'No order has failed for this reason now.' : all)
      if (one.reader.follow(next) && body.closest('details')?.open) one.open()
    },
  }
}

/**
 * Shows one order with its actions; in its place, the result of an action until that is dismissed.
 * @param {(isHeld: boolean) => void} hold
 */
function makeOne(hold) {
  const reader = makeReader((entry) => actions.allow(entry))
  const actions = makeActions({ ...reader, edit: editShown, discard: discardShown })
  const order = element('div', {}, ...reader.elements, actions.element)
  const result = makeResultBox({ dismiss, editAgain })

  async function editShown() {
    const entry = reader.shown()
    if (!entry) return
    hold(true)
    const sent = await editEntry(entry)
    if (!sent) return hold(false)
    finish({ text: waitingFor(sent), kind: undefined })
    await followVerdict(sent, result, () => result.isOpen() && reader.shown() === entry)
  }

  async function discardShown() {
    const entry = reader.shown()
    if (!entry) return
    hold(true)
    if (await discardEntry(entry)) finish({ text: `Discarded ${nameOf(entry.text ?? '')}.`, kind: 'good' })
    else hold(false)
  }

  /** @param {Result} end of the shown order */
  function finish(end) {
    order.hidden = true
    result.show(end)
  }

  function show() {
    result.close()
    order.hidden = false
    actions.focus()
  }

  function dismiss() {
    show()
    void reader.leave()
    hold(false)
  }

  /** @param {string} id */
  async function editAgain(id) {
    show()
    await reader.open(id)
    if (reader.shown()) await editShown()
    else hold(false)
  }

  return { elements: [order, result.element], reader, open: () => result.isOpen() || reader.openNewest() }
}

/**
 * Makes the buttons below an order. Those that act on it are dimmed until one is shown: a button that is only dimmed
 * keeps the focus.
 * @param {Record<'openNewest' | 'openOlder' | 'discard' | 'edit', () => unknown>} does
 */
function makeActions(does) {
  const older = button('Older', does.openOlder)
  const discard = button('Discard…', does.discard, 'danger')
  const edit = button('Edit and retry…', does.edit, 'main')
  /** @param {import('./entry.js').Entry} [entry] */
  function allow(entry) {
    for (const action of [older, discard, edit]) action.setAttribute('aria-disabled', `${!entry}`)
    edit.hidden = entry?.stage !== undefined
  }
  allow()
  const newest = button('Newest', does.openNewest)
  return {
    element: element('div', { class: 'buttons' }, newest, older, discard, edit),
    focus: () => edit.focus(),
    allow,
  }
}

/** @param {Sent} sent */
const waitingFor = ({ text }) => `Requeued ${nameOf(text)}; waiting for the verdict.`

/**
 * Shows the verdict in the box, or in a notice if the box was dismissed before.
 * @param {Sent} sent
 * @param {{ show(result: Result): void }} box
 * @param {() => boolean} isOpen
 */
async function followVerdict(sent, box, isOpen) {
  const verdict = await verdictOf(sent, (warning) => {
    const text = [waitingFor(sent), warning ?? ''].join(' ').trim()
    if (isOpen()) box.show({ text, kind: warning ? 'warn' : undefined })
  })
  if (isOpen()) box.show(verdict)
  else notice(verdict.text, verdict.kind)
}

/**
 * @param {Sent} sent
 * @param {(warning: string | null) => unknown} onProgress
 * @returns {Promise<Result>}
 */
async function verdictOf({ text, jobId }, onProgress) {
  try {
    return resultOf(text, await jobEnd(jobId, ({ warning }) => onProgress(warning)))
  } catch (error) {
    return { text: messageOf(error), kind: 'bad' }
  }
}

/**
 * @param {string} label
 * @param {() => unknown} onclick
 */
const button = (label, onclick, kind = 'quiet') => element('button', { type: 'button', class: kind, onclick }, label)
