// @ts-check
import { askName, knownName, knownToken, onIdentity, signOut } from './identity.js'
import { element, find, keep, setData, show } from './lib/dom.js'
import { ago, bytes, clock, exact, exactTime, zone } from './lib/format.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./lib/dom.js').Kind} Kind */
/** @typedef {{ key: string, text: string, detail: string, kind?: Kind }} Badge */

const state = find('#state')
const badges = find('#badges')
/** Screen readers read this once. The age, which grows each second, is for the eye. */
const message = element('span')
const age = element('span', { 'aria-hidden': 'true' })

show(find('#zone'), `Times in ${zone}`, Intl.DateTimeFormat().resolvedOptions().timeZone)

drawIdentity()

/** @type {number | undefined} */
let seenAt

/** Shows who acts here, and never the token. */
function drawIdentity() {
  const name = element('bdi')
  const text = element('span', { class: 'name' }, name)
  const change = element('button', { type: 'button', class: 'quiet', onclick: () => void askName() })
  const leave = element('button', { type: 'button', class: 'quiet', onclick: signOut }, 'Sign out')
  const place = find('#operator')
  place.append(text, change, leave)
  onIdentity(() => {
    const known = knownName()
    place.hidden = known === null && knownToken() === null
    show(name, known ?? 'No name yet', known === null ? '' : `Your actions are recorded as ${known}'s.`)
    show(change, known === null ? 'Give a name' : 'Change')
    change.setAttribute('aria-label', known === null ? '' : 'Change operator')
  })
}

/** @param {Snapshot} snapshot */
export function drawHeader({ hops, books, memory, unread }) {
  seenAt = Date.now()
  document.body.dataset['known'] = ''
  const stalls = hops.flatMap(({ stall }) => stall ?? [])
  say('live', liveText(stalls), '', stalls.join('\n'))
  setData(state, 'kind', stalls.length > 0 ? 'bad' : undefined)
  drawBadges([...unread.map(unreadBadge), booksBadge(books), memoryBadge(memory)])
}

/** @param {string[]} stalls a sentence for each component that does no work */
function liveText([first, ...more]) {
  if (first === undefined) return 'Live'
  return more.length > 0 ? `Live, but ${more.length + 1} components do no work` : `Live, but: ${first}`
}

/** @param {Badge[]} drawn */
function drawBadges(drawn) {
  keep(badges, drawn, ({ key }) => key, {
    make: () => element('li'),
    draw: (badge, { text, detail, kind }) => {
      show(badge, text, detail)
      setData(badge, 'kind', kind)
    },
  })
}

/**
 * Shows that there are no news.
 * @param {string} why a clause without a full stop
 */
export function drawAway(why) {
  setData(state, 'kind', undefined)
  drawBadges([
    { key: 'books', text: 'Books: not known', detail: `${why}.` },
    { key: 'memory', text: 'Redis memory: not known', detail: `${why}.` },
  ])
  if (seenAt === undefined) return say('stale', `${why}; trying again.`, '', '')
  const lastHeard = `Last heard ${exactTime(seenAt)}`
  say('stale', `As of ${clock(seenAt)} ${zone}. ${why}; trying again.`, ` (${ago(seenAt, Date.now())})`, lastHeard)
}

/**
 * @param {'live' | 'stale'} kind
 * @param {string} text
 * @param {string} growing shown to the eye only
 * @param {string} detail
 */
function say(kind, text, growing, detail) {
  if (!message.isConnected) state.replaceChildren(message, age)
  setData(document.body, 'state', kind)
  show(message, text, detail)
  show(age, growing)
}

/**
 * @param {Snapshot['books']} books
 * @returns {Badge}
 */
function booksBadge({ balanced, differences, lost, notes }) {
  const key = 'books'
  if (balanced === null) return { key, text: 'Books: not known', detail: differences.join('\n'), kind: 'warn' }
  if (balanced) {
    const detail = ['Every order that came in is accounted for.', ...notes].join('\n')
    return {
      key,
      text: lost !== null && lost > 0 ? `Books balance, ${exact(lost)} lost` : 'Books balance',
      detail,
      kind: 'good',
    }
  }
  return { key, text: `Books are off: ${differences.join(' ')}`, detail: differences.join('\n'), kind: 'bad' }
}

/**
 * @param {Snapshot['unread'][number]} unread
 * @returns {Badge}
 */
function unreadBadge({ reading, why }) {
  return { key: `unread ${reading}`, text: `Cannot read ${reading}`, detail: `${why}\nSee orders doctor.`, kind: 'bad' }
}

/**
 * @param {Snapshot['memory']} memory
 * @returns {Badge}
 */
function memoryBadge(memory) {
  const key = 'memory'
  if (!memory) return { key, text: 'Redis memory: not known', detail: 'Redis does not say it to this process.' }
  const { used_bytes, most_bytes } = memory
  const used = `${exact(used_bytes)} bytes`
  if (most_bytes === null) return { key, text: `Redis ${bytes(used_bytes)}`, detail: `${used}, without a limit` }
  const share = used_bytes / most_bytes
  const kind = share >= 0.8 ? 'bad' : share >= 0.6 ? 'warn' : undefined
  const text = `Redis ${Math.round(share * 100)} % of ${bytes(most_bytes)}`
  return { key, text, detail: `${used} of ${exact(most_bytes)}`, kind }
}
