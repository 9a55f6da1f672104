import { element, keep, setData, show } from './lib/dom.js'
import { ago, bytes, clock, exact, exactTime } from './lib/format.js'

const state = document.querySelector('#state')
const badges = document.querySelector('#badges')
/** What screen readers are told once; the age that grows each second is for the eye. */
const told = element('span')
const age = element('span', { 'aria-hidden': 'true' })

let seenAt

export function drawHeader({ books, memory, unread }) {
  seenAt = Date.now()
  tell('live', 'Live', '')
  const drawn = [...unread.map(unreadBadge), booksBadge(books), memoryBadge(memory)]
  keep(badges, drawn, ({ key }) => key, {
    make: () => element('li'),
    draw: (badge, { text, detail, kind }) => {
      show(badge, text, detail)
      setData(badge, 'kind', kind)
    },
  })
}

/** @param why a clause without a full stop */
export function drawAway(why) {
  if (seenAt === undefined) return tell('stale', `${why}; trying again.`, '')
  tell('stale', `Stale since ${clock(seenAt)}. ${why}; trying again.`, ` (${ago(seenAt, Date.now())})`)
}

function tell(kind, text, growing) {
  if (!told.isConnected) state.replaceChildren(told, age)
  setData(document.body, 'state', kind)
  show(told, text, seenAt === undefined ? '' : `Last heard ${exactTime(seenAt)}`)
  show(age, growing)
}

function booksBadge({ balanced, differences, lost, notes }) {
  const key = 'books'
  if (balanced === null) return { key, text: 'Books: not known', detail: differences.join('\n'), kind: 'warn' }
  if (balanced) {
    const detail = ['Every order that came in is accounted for.', ...notes].join('\n')
    return { key, text: lost > 0 ? `Books balance, ${exact(lost)} lost` : 'Books balance', detail, kind: 'good' }
  }
  return { key, text: `Books are off: ${differences.join(' ')}`, detail: differences.join('\n'), kind: 'bad' }
}

function unreadBadge({ reading, why }) {
  return { key: `unread ${reading}`, text: `Cannot read ${reading}`, detail: `${why}\nSee orders doctor.`, kind: 'bad' }
}

function memoryBadge(memory) {
  const key = 'memory'
  if (!memory)
    return { key, text: 'Redis memory: not known', detail: 'Redis does not tell this process.', kind: 'warn' }
  const { used_bytes, most_bytes } = memory
  const used = `${exact(used_bytes)} bytes`
  if (most_bytes === null) return { key, text: `Redis ${bytes(used_bytes)}`, detail: `${used}, without a limit` }
  const share = used_bytes / most_bytes
  const kind = share >= 0.8 ? 'bad' : share >= 0.6 ? 'warn' : undefined
  const text = `Redis ${Math.round(share * 100)} % of ${bytes(most_bytes)}`
  return { key, text, detail: `${used} of ${exact(most_bytes)}`, kind }
}
