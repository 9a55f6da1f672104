// @ts-check
import { rangeText } from '../lib/days.js'
import { find, setData, show } from '../lib/dom.js'
import { exact, minorOf, money, number } from '../lib/format.js'
import { makeReading, readJson } from '../reading.js'
import { makeBoard } from './board.js'
import { makePeriods } from './periods.js'

/** @typedef {import('../../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {{ user_id: string, score: number }} User */
/** @typedef {{ users: User[], from: string, to: string, timezone: string, closed: boolean, since?: string }} TopUsers */

const everyMs = 5_000
const boardsOf = ['spend', 'orders']
const noneYet = 'No user is ranked yet.'

const place = find('#boards')
const about = find('#period-text')
const spend = makeBoard(place, 'By spend')
const orders = makeBoard(place, 'By orders')
/** @type {Snapshot | undefined} */
let newest
/** @type {string | undefined} the period that was chosen last; undefined for all time */
let chosen
const periods = makePeriods(find('#period'), () => newest && drawBoards(newest))

/** @param {Snapshot} snapshot */
export function drawBoards(snapshot) {
  newest = snapshot
  const period = periods.draw(snapshot.calendar)
  if (period !== chosen) wait(period !== undefined)
  chosen = period
  follow(period)
  if (period !== undefined) return
  const { top, calendar } = snapshot
  const ofAllTime = top.spend.map(({ user_id, spend_minor }) => ({ user_id, score: spend_minor }))
  const counts = top.orders.map(({ user_id, orders }) => ({ user_id, score: orders }))
  drawBoth(ofAllTime, counts, noneYet)
  show(about, calendar ? 'Of all time.' : '')
}

const follow = makeReading(
  everyMs,
  /** @returns {Promise<TopUsers[]>} */
  (period) => Promise.all(boardsOf.map((by) => readJson(`stats/top-users?by=${by}&period=${period}`))),
  ({ value: [bySpend, byOrders] = [], why = '' }) => {
    if (!newest) return
    wait(false)
    const { decimals } = newest
    const amounts = bySpend?.users.map(({ user_id, score }) => ({ user_id, score: minorOf(score, decimals) }))
    drawBoth(amounts ?? [], byOrders?.users ?? [], bySpend ? 'No user has an order on these days.' : '')
    show(about, bySpend ? rangeText(bySpend) : `Not known: ${why}`)
  },
)

/**
 * Marks the boards as those of the period before, until the chosen one is read.
 * @param {boolean} isOld
 */
function wait(isOld) {
  setData(place, 'old', isOld)
  place.setAttribute('aria-busy', String(isOld))
}

/**
 * @param {User[]} bySpend in minor units
 * @param {User[]} byOrders
 * @param {string} empty
 */
function drawBoth(bySpend, byOrders, empty) {
  const { currency, decimals } = newest ?? {}
  spend.draw(
    bySpend.map((user) => ({ ...user, text: money(user.score, { decimals }) })),
    { of: currency ? ` in ${currency}` : '', empty },
  )
  orders.draw(
    byOrders.map((user) => ({ ...user, text: number(user.score), detail: exact(user.score) })),
    { empty },
  )
}
