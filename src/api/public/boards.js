import { element, keep, show } from './lib/dom.js'
import { exact, money, number } from './lib/format.js'

const calm = matchMedia('(prefers-reduced-motion: reduce)')
const moveMs = 400

const place = document.querySelector('#boards')
const spend = makeBoard('By spend')
const orders = makeBoard('By orders')

export function drawBoards({ top }) {
  drawBoard(
    spend,
    top.spend.map(({ user_id, spend_minor }) => ({ user_id, score: spend_minor, text: money(spend_minor) })),
  )
  drawBoard(
    orders,
    top.orders.map(({ user_id, orders: score }) => ({ user_id, score, text: number(score), detail: exact(score) })),
  )
}

function makeBoard(title) {
  const list = element('ol', { class: 'board' })
  const none = element('p', { class: 'none' }, 'Nobody yet.')
  place.append(element('div', { class: 'panel' }, element('h3', {}, title), none, list))
  return { list, none }
}

function drawBoard({ list, none }, users) {
  none.hidden = users.length > 0
  const before = new Map([...list.children].map((row) => [row, row.offsetTop]))
  const most = users[0]?.score ?? 0
  keep(list, users, ({ user_id }) => user_id, {
    make: ({ user_id }) => {
      const name = element('bdi', { class: 'user', title: user_id }, user_id)
      return element('li', {}, element('span', { class: 'place' }), name, element('span', { class: 'score' }))
    },
    draw: (row, { score, text, detail }, index) => {
      const [rank, , value] = row.children
      show(rank, `${index + 1}`)
      show(value, text, detail ?? text)
      row.style.setProperty('--share-of', most > 0 ? score / most : 0)
    },
  })
  if (!calm.matches) for (const [row, top] of before) slide(row, top - row.offsetTop)
}

/** From where it was to where it is. */
function slide(row, by) {
  if (by === 0 || !row.isConnected) return
  const from = { transform: `translateY(${by}px)` }
  row.animate([from, { transform: 'none' }], { duration: moveMs, easing: 'ease-out' })
}
