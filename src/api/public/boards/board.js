// @ts-check
import { childrenOf, element, find, keep, show } from '../lib/dom.js'
import { label } from '../lib/explain.js'
import { printableId } from '../lib/printable.js'

/** @typedef {{ user_id: string, score: number, text: string, detail?: string }} Ranked */

const calm = matchMedia('(prefers-reduced-motion: reduce)')
const moveMs = 400

/**
 * Makes a panel with a leaderboard.
 * @param {HTMLElement} place
 * @param {string} title
 */
export function makeBoard(place, title) {
  const list = element('ol', { class: 'board' })
  const none = element('p', { class: 'none', hidden: true })
  const unit = element('span', { class: 'muted' })
  place.append(element('div', { class: 'panel' }, element('h3', {}, label('boards', title), unit), none, list))
  /**
   * @param {Ranked[]} users
   * @param {{ of?: string, empty: string }} words `of`: the unit, behind the title; `empty`: in place of no users
   */
  const draw = (users, { of = '', empty }) => {
    show(unit, of)
    show(none, empty)
    none.hidden = users.length > 0
    drawRows(list, users)
  }
  return { draw }
}

/**
 * @param {HTMLElement} list
 * @param {Ranked[]} users
 */
function drawRows(list, users) {
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
