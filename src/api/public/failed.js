// @ts-check
import { act, fail } from './actions.js'
import { jobEnd, olderEntry, readEntry } from './entry.js'
import { keyOf, steady } from './group-order.js'
import { askFor } from './lib/dialog.js'
import { element, find, keep, notice, show } from './lib/dom.js'
import { ago, exact, exactTime, lastAgo, number } from './lib/format.js'
import { isJson, pretty } from './lib/json.js'
import { askReplay } from './replay.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./entry.js').Entry} Entry */
/** @typedef {Snapshot['failed'][number]} Failed */
/** @typedef {Failed & { all: readonly Failed[] }} Group the group, and all groups of its code */

const list = find('#failed')
const none = find('#failed-none')
const noOrder = find('#failed-first')
/** Draws a group into the element that was made for it. */
const drawings = new WeakMap()
/** Characters of one order that are shown here. The editor has all of it. */
const maxShown = 5_000

/** @param {Snapshot} snapshot */
export function drawFailed({ at, failed, totals }) {
  none.hidden = failed.length > 0 || totals.received === 0
  noOrder.hidden = failed.length > 0 || totals.received !== 0
  const now = Date.parse(at)
  const ofCode = Map.groupBy(failed, ({ code }) => code)
  keep(list, steady(list, failed), keyOf, {
    make: makeGroup,
    draw: (item, group) => drawings.get(item)({ ...group, all: ofCode.get(group.code) ?? [] }, now),
  })
}

function makeGroup() {
  const head = { count: element('strong'), code: element('code'), reason: element('span'), last: element('span') }
  head.reason.className = 'reason'
  head.last.className = 'muted'
  const body = element('div', { class: 'group' })
  const details = element('details', {}, element('summary', {}, head.count, head.code, head.reason, head.last), body)
  const item = element('li', { class: 'panel' }, details)
  const panel = makePanel(body)
  details.addEventListener('toggle', () => details.open && panel.open())
  drawings.set(item, (/** @type {Group} */ group, /** @type {number} */ now) => {
    show(head.count, number(group.count), `${exact(group.count)} orders`)
    show(head.code, group.code)
    show(head.reason, group.reason)
    const recent = group.last_minute > 0 ? `${number(group.last_minute)} in the last minute, ` : ''
    show(
      head.last,
      `${recent}${lastAgo(group.last, now)}`,
      `First ${exactTime(group.first)}, last ${exactTime(group.last)}`,
    )
    panel.draw(group, now)
  })
  return item
}

/**
 * Shows one order of a group in full, with the actions on it and on the whole group.
 * @param {HTMLElement} body
 */
function makePanel(body) {
  /** @type {Group | undefined} */
  let group
  /** @type {Entry | undefined} */
  let shown
  const since = element('p', { class: 'muted' })
  const view = makeOrderView()
  const openNewest = () => group && openEntry(group.example.id)
  const newest = button('Newest', openNewest)
  const older = button('Older', openOlder)
  const edit = button('Edit and retry…', () => editEntry(shown).then(changed), 'main')
  const discard = button('Discard…', () => discardEntry(shown).then(changed), 'danger')
  const replay = button('Replay all…', () => group && askReplay(group))
  body.append(
    element('div', { class: 'group-head' }, since, replay),
    ...view.elements,
    element('div', { class: 'buttons' }, newest, older, discard, edit),
  )

  /** @param {string} id */
  async function openEntry(id) {
    try {
      shown = await readEntry(id)
    } catch (error) {
      shown = undefined
      return view.say(messageOf(error))
    }
    view.draw(shown)
    edit.hidden = shown.stage !== undefined
  }

  async function openOlder() {
    if (!group || !shown) return
    const id = await olderEntry(group, shown.id).catch((error) => fail(messageOf(error)))
    if (id) await openEntry(id)
    else notice('There is no older order.')
  }

  /**
   * Shows another order. The group's example may be the one that is gone, until the next snapshot has another.
   * @param {boolean} done
   */
  async function changed(done) {
    if (!done || !group) return
    if (shown?.id !== group.example.id) return openNewest()
    shown = undefined
    view.clear('Done.')
  }

  return {
    open: openNewest,
    draw: (/** @type {Group} */ next, /** @type {number} */ now) => {
      const moved = shown === undefined && group !== undefined && group.example.id !== next.example.id
      group = next
      show(since, `${number(group.count)} since ${exactTime(group.first)} (${ago(group.first, now)})`)
      if (moved && body.closest('details')?.open) void openNewest()
    },
  }
}

/** Shows one order: what is wrong with it, and its text. */
function makeOrderView() {
  const about = element('p', { class: 'about' })
  const text = element('pre', { tabindex: '0', 'aria-label': 'An order that failed' })
  return {
    elements: [about, text],
    draw: (/** @type {Entry} */ entry) => {
      show(about, aboutOf(entry), exactTime(entry.ts))
      show(text, shownText(entry))
    },
    say: (/** @type {string} */ message) => show(about, message),
    clear: (/** @type {string} */ message) => {
      show(about, message)
      show(text, '')
    },
  }
}

/**
 * @param {string} label
 * @param {() => unknown} onclick
 */
const button = (label, onclick, kind = 'quiet') => element('button', { type: 'button', class: kind, onclick }, label)

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error))

/** @param {Entry} entry */
function aboutOf({ id, reason, hint, attempts, stage, first_reason, edits }) {
  const sentences = [
    `${id}: ${reason}.`,
    hint,
    attempts > 1 ? `Rejected ${attempts} times${first_reason ? `, first for “${first_reason}”` : ''}.` : '',
    stage ? `Stage ${stage} rejected it after it was admitted: replay it as it is.` : '',
    edits ? `Edited by ${edits.map(({ by }) => by).join(', ')}.` : '',
  ]
  return sentences.filter(Boolean).join(' ')
}

/** @param {Entry} entry */
function shownText({ text, raw_base64 }) {
  if (text === undefined) return `(not text; in base64: ${raw_base64})`.slice(0, maxShown)
  const lines = pretty(text)
  const more = lines.length - maxShown
  return more > 0 ? `${lines.slice(0, maxShown)}\n… ${exact(more)} more characters` : lines
}

/**
 * @param {Entry | undefined} entry
 * @returns {Promise<boolean>} true if it was sent
 */
async function editEntry(entry) {
  if (!entry) return false
  const given = await askFor({
    title: 'Edit and retry',
    text: `${entry.reason}. ${entry.hint ? `${entry.hint} ` : ''}Your version replaces it and goes through all the rules. The old text is kept with it.`,
    fields: [{ name: 'order', label: 'Order (JSON)', value: pretty(entry.text ?? ''), lines: 16, check: wrongJson }],
    action: 'Requeue',
  })
  if (!given) return false
  const reply = await act('PUT', `orders/invalid/${entry.id}`, given.order)
  if (!reply) return false
  notice('Requeued; waiting for the verdict.')
  try {
    const { verdict, reason, hint } = await jobEnd(reply.job_id, ({ warning }) => warning && notice(warning))
    if (verdict === 'admitted') notice('Admitted.')
    else if (verdict === 'duplicate') notice('A duplicate: this order was admitted before.')
    else fail(`Rejected again: ${reason}.${hint ? ` ${hint}` : ''}`)
  } catch (error) {
    fail(messageOf(error))
  }
  return true
}

/** @param {string} text */
const wrongJson = (text) =>
  isJson(text) ? undefined : 'This is not JSON yet: look for a missing comma, quote or bracket.'

/**
 * @param {Entry | undefined} entry
 * @returns {Promise<boolean>} true if it was discarded
 */
async function discardEntry(entry) {
  if (!entry) return false
  const given = await askFor({
    title: 'Discard this order?',
    text: 'It moves to the stream of discarded orders, with your reason.',
    fields: [{ name: 'reason', label: 'Reason', maxlength: '1000' }],
    action: 'Discard',
    danger: true,
  })
  const reply = given && (await act('DELETE', `orders/invalid/${entry.id}`, { reason: given.reason }))
  if (reply) notice('Discarded.')
  return reply !== undefined
}
