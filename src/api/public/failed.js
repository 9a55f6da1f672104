import { act, fail } from './actions.js'
import { jobEnd, olderEntry, readEntry } from './entry.js'
import { askFor } from './lib/dialog.js'
import { element, keep, notice, show } from './lib/dom.js'
import { ago, exact, exactTime, number } from './lib/format.js'
import { isJson, pretty } from './lib/json.js'
import { askReplay } from './replay.js'

const list = document.querySelector('#failed')
const none = document.querySelector('#failed-none')
/** More of one order is not shown here; to edit it, all of it is there. */
const shownLength = 5_000

export function drawFailed({ at, failed }) {
  none.hidden = failed.length > 0
  const now = Date.parse(at)
  const ofCode = Map.groupBy(failed, ({ code }) => code)
  keep(list, failed, ({ code, reason }) => `${code} ${reason}`, {
    make: makeGroup,
    draw: (item, group) => item.draw({ ...group, all: ofCode.get(group.code) }, now),
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
  item.draw = (group, now) => {
    show(head.count, number(group.count), `${exact(group.count)} orders`)
    show(head.code, group.code)
    show(head.reason, group.reason)
    show(head.last, `last ${ago(group.last, now)}`, `First ${exactTime(group.first)}, last ${exactTime(group.last)}`)
    panel.draw(group, now)
  }
  return item
}

/** One order of a group in full, and what can be done with it and with all of them. */
function makePanel(body) {
  let group
  let shown
  const since = element('p', { class: 'muted' })
  const about = element('p', { class: 'about' })
  const text = element('pre', { tabindex: '0', 'aria-label': 'An order that failed' })
  const button = (label, onclick, kind = 'quiet') => element('button', { type: 'button', class: kind, onclick }, label)
  const newest = button('Newest', () => openEntry(group.example.id))
  const older = button('Older', openOlder)
  const edit = button('Edit and retry…', () => editEntry(shown).then(changed), 'main')
  const discard = button('Discard…', () => discardEntry(shown).then(changed), 'danger')
  const replay = button('Replay all…', () => askReplay(group))
  body.append(
    element('div', { class: 'group-head' }, since, replay),
    about,
    text,
    element('div', { class: 'buttons' }, newest, older, discard, edit),
  )

  async function openEntry(id) {
    try {
      shown = await readEntry(id)
    } catch (error) {
      shown = undefined
      return show(about, error.message)
    }
    show(about, aboutOf(shown), exactTime(shown.ts))
    show(text, shownText(shown))
    edit.hidden = shown.stage !== undefined
  }

  async function openOlder() {
    const id = shown && (await olderEntry(group, shown.id).catch(({ message }) => fail(message)))
    if (id) await openEntry(id)
    else notice('There is no older one.')
  }

  /** What is gone is the group's example for a moment more: the next snapshot has another. */
  async function changed(done) {
    if (!done) return
    if (shown?.id !== group.example.id) return openEntry(group.example.id)
    shown = undefined
    show(about, 'Done.')
    show(text, '')
  }

  return {
    open: () => openEntry(group.example.id),
    draw: (next, now) => {
      const moved = shown === undefined && group !== undefined && group.example.id !== next.example.id
      group = next
      show(since, `${number(group.count)} since ${exactTime(group.first)} (${ago(group.first, now)})`)
      if (moved && body.parentElement.open) void openEntry(group.example.id)
    },
  }
}

function aboutOf({ id, reason, hint, attempts, stage, first_reason, edits }) {
  const told = [
    `${id}: ${reason}.`,
    hint,
    attempts > 1 ? `Rejected ${attempts} times${first_reason ? `, at first for “${first_reason}”` : ''}.` : '',
    stage ? `Stage ${stage} rejected it after it was admitted: replay it as it is.` : '',
    edits ? `Edited by ${edits.map(({ by }) => by).join(', ')}.` : '',
  ]
  return told.filter(Boolean).join(' ')
}

function shownText({ text, raw_base64 }) {
  if (text === undefined) return `(no text; in base64: ${raw_base64})`.slice(0, shownLength)
  const lines = pretty(text)
  const more = lines.length - shownLength
  return more > 0 ? `${lines.slice(0, shownLength)}\n… ${exact(more)} characters more` : lines
}

/** @returns whether it was sent */
async function editEntry(entry) {
  if (!entry) return false
  const given = await askFor({
    title: 'Edit and retry',
    text: `${entry.reason}. ${entry.hint ? `${entry.hint} ` : ''}What you send takes its place and goes through all the rules; the old text is kept beside it.`,
    fields: [{ name: 'order', label: 'Order (JSON)', value: pretty(entry.text ?? ''), lines: 16, check: wrongJson }],
    action: 'Send it round',
  })
  if (!given) return false
  const reply = await act('PUT', `orders/invalid/${entry.id}`, given.order)
  if (!reply) return false
  notice('Sent round; waiting for the verdict.')
  try {
    const { verdict, reason, hint } = await jobEnd(reply.job_id, ({ warning }) => warning && notice(warning))
    if (verdict === 'admitted') notice('Admitted.')
    else if (verdict === 'duplicate') notice('A duplicate: this order was admitted before.')
    else fail(`Rejected again: ${reason}.${hint ? ` ${hint}` : ''}`)
  } catch (error) {
    fail(error.message)
  }
  return true
}

const wrongJson = (text) =>
  isJson(text) ? undefined : 'This is no JSON yet: look for a missing comma, quote or bracket.'

/** @returns whether it was discarded */
async function discardEntry(entry) {
  if (!entry) return false
  const given = await askFor({
    title: 'Discard this order?',
    text: 'It is given up and moved to the stream of discarded orders, with your reason.',
    fields: [{ name: 'reason', label: 'Reason', maxlength: '1000' }],
    action: 'Discard',
    danger: true,
  })
  const reply = given && (await act('DELETE', `orders/invalid/${entry.id}`, { reason: given.reason }))
  if (reply) notice('Discarded.')
  return reply !== undefined
}
