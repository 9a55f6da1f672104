// @ts-check
import { childrenOf, element, find, keep, show } from './lib/dom.js'
import { label } from './lib/explain.js'
import { exact, money, number } from './lib/format.js'
import { printableId } from './lib/printable.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {ReturnType<typeof makeBoard>} Board */
/** @typedef {{ user_id: string, score: number, text: string, detail?: string }} Ranked */

const calm = matchMedia('(prefers-reduced-motion: reduce)')
const moveMs = 400

const place = find('#boards')
const spend = makeBoard('By spend')
const orders = makeBoard('By orders')

/** @param {Snapshot} snapshot */
export function drawBoards({ top, currency, decimals }) {
  show(spend.unit, currency ? ` in ${currency}` : '')
  drawBoard(
    spend,
    top.spend.map(({ user_id, spend_minor }) => ({
      user_id,
      score: spend_minor,
      text: money(spend_minor, { decimals }),
    })),
  )
  drawBoard(
    orders,
    top.orders.map(({ user_id, orders: score }) => ({ user_id, score, text: number(score), detail: exact(score) })),
  )
}

/** @param {string} title */
function makeBoard(title) {
  const list = element('ol', { class: 'board' })
  const none = element('p', { class: 'none', hidden: true }, 'No user is ranked yet.')
  const unit = element('span', { class: 'muted' })
  place.append(element('div', { class: 'panel' }, element('h3', {}, label('boards', title), unit), none, list))
  return { list, none, unit }
}

/**
 * @param {Board} board
 * @param {Ranked[]} users
 */
function drawBoard({ list, none }, users) {
  none.hidden = users.length > 0
  const before = new Map(childrenOf(list).map((row) => [row, row.offsetTop]))
  const best = users[0]?.score ?? 0
  keep(list, users, ({ user_id }) => user_id, {
    make: ({ user_id }) => {
      const shown = printableId(user_id)
      const name = element('span', { class: 'user', dir: 'auto', title: shown }, shown)
      return element('li', {}, element('span', { class: 'place' }), name, element('span', { class: 'score' }))
    },
    draw: (row, { score, text, detail }, index) => {
      show(find('.place', row), `${index + 1}`)
      show(find('.score', row), text, detail ?? text)
      row.style.setProperty('--share-of', `${best > 0 ? Math.max(0, score / best) : 0}`)
    },
  })
  if (!calm.matches) for (const [row, top] of before) slide(row, top - row.offsetTop)
}

/**
 * Moves a row from where it was to where it is.
 * @param {HTMLElement} row
 * @param {number} by pixels
 */
function slide(row, by) {
  if (by === 0 || !row.isConnected) return
  const from = { transform: `translateY(${by}px)` }
  row.animate([from, { transform: 'none' }], { duration: moveMs, easing: 'ease-out' })
}
