// @ts-check
import { element, find, keep, show } from '../lib/dom.js'
import { exact, exactTime, lastAgo, number } from '../lib/format.js'
import { keyOf, steady } from './group-order.js'
import { makePanel } from './panel.js'
import { trendText } from './trend.js'

/** @typedef {import('../../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {Snapshot['failed'][number]} Failed */
/** @typedef {Failed & { all: readonly Failed[] }} Group the group, and all groups of its code */

/** @typedef {Pick<Snapshot, 'at' | 'failed' | 'totals'>} Shown */

const list = find('#failed')
const none = find('#failed-none')
const noOrder = find('#failed-first')
const title = find('#failed-title')
/** Draws a group into the element that was made for it. */
const drawings = new WeakMap()
/**
 * Groups in which an order is edited, or a result is not dismissed yet. They stay although none of their orders failed.
 * @type {Map<string, Failed>}
 */
const held = new Map()
/** @type {Shown | undefined} */
let last

/** @param {Shown} snapshot */
export function drawFailed({ at, failed, totals }) {
  last = { at, failed, totals }
  const groups = withHeld(failed)
  none.hidden = groups.length > 0 || totals.received === 0
  noOrder.hidden = groups.length > 0 || totals.received !== 0
  const now = Date.parse(at)
  const ofCode = Map.groupBy(failed, ({ code }) => code)
  const hadFocus = list.contains(document.activeElement)
  keep(list, steady(list, groups), keyOf, {
    make: makeGroup,
    draw: (item, group) => drawings.get(item)({ ...group, all: ofCode.get(group.code) ?? [] }, now),
  })
  if (hadFocus && !list.contains(document.activeElement)) focusNear()
}

/** @param {readonly Failed[]} failed */
function withHeld(failed) {
  const present = new Set(failed.map(keyOf))
  const gone = [...held].flatMap(([key, group]) => (present.has(key) ? [] : [{ ...group, count: 0, last_minute: 0 }]))
  return [...failed, ...gone]
}

/** The group that had the focus is gone. */
function focusNear() {
  const next = list.querySelector('summary') ?? title
  next.focus()
}

/**
 * @param {Group} group
 * @param {boolean} isHeld
 */
function hold(group, isHeld) {
  if (isHeld) held.set(keyOf(group), group)
  else held.delete(keyOf(group))
  if (!isHeld && last) drawFailed(last)
}

function makeGroup() {
  const head = { count: element('strong'), code: element('code'), reason: element('span'), last: element('span') }
  head.reason.className = 'reason'
  head.last.className = 'muted'
  const body = element('div', { class: 'group' })
  const details = element('details', {}, element('summary', {}, head.count, head.code, head.reason, head.last), body)
  const item = element('li', { class: 'panel' }, details)
  const panel = makePanel(body, hold)
  details.addEventListener('toggle', () => details.open && panel.open())
  drawings.set(item, (/** @type {Group} */ group, /** @type {number} */ now) => {
    show(head.count, number(group.count), `${exact(group.count)} orders`)
    show(head.code, group.code)
    show(head.reason, group.reason)
    show(
      head.last,
      `${trendText(group)}${lastAgo(group.last, now)}`,
      `${exact(group.minute_before)} in the minute before. First ${exactTime(group.first)}, last ${exactTime(group.last)}`,
    )
    panel.draw(group, now)
  })
  return item
}
