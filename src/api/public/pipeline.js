// @ts-check
import { act } from './actions.js'
import { bridge, factsOf } from './hop-facts.js'
import { drawBrief, makeBrief } from './lib/brief.js'
import { askFor } from './lib/dialog.js'
import { element, find, keep, notice, setData, show } from './lib/dom.js'
import { explainValue, label } from './lib/explain.js'
import { exact, number, rate } from './lib/format.js'
import { drawPause, makePause } from './lib/pause.js'
import { askRedrive } from './redrive.js'

/** @typedef {import('../live/snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./hop-facts.js').Hop} Hop */
/** @typedef {{ name: 'sqs', sqs: Snapshot['sqs'] }} Queue */
/** @typedef {import('./hop-facts.js').Fact} Fact */

const list = find('#pipeline')

/**
 * Draws the pipeline in columns, from SQS on. Hops that read from the same hop share a column.
 * @param {Snapshot} snapshot
 */
export function drawPipeline({ at, sqs, hops, archive: archived }) {
  const columns = new Map([['sqs', 1]])
  for (const { name, after } of inOrder(hops)) columns.set(name, (columns.get(after) ?? 1) + 1)
  list.style.setProperty('--columns', `${Math.max(...columns.values())}`)
  const now = Date.parse(at)
  const taken = new Set()
  /** @type {(Queue | Hop)[]} */
  const cards = [{ name: 'sqs', sqs }, ...hops]
  keep(list, cards, ({ name }) => name, {
    make: (item) => ('sqs' in item ? makeQueue() : makeHop(item)),
    draw: (card, item) => {
      const column = columns.get(item.name)
      card.style.setProperty('--column', `${column}`)
      setData(card, 'branch', taken.has(column))
      taken.add(column)
      if ('sqs' in item) return drawQueue(card, sqs)
      setData(card, 'after', item.after)
      drawHop(card, item, now, archived)
    },
  })
}

/**
 * Sorts hops so that each follows the hop it reads from.
 * @param {Hop[]} hops
 */
function inOrder(hops) {
  const placed = new Set(['sqs'])
  const left = [...hops]
  /** @type {Hop[]} */
  const ordered = []
  while (left.length > 0) {
    const next = left.findIndex(({ after }) => placed.has(after))
    const [hop] = left.splice(Math.max(0, next), 1)
    if (!hop) break
    placed.add(hop.name)
    ordered.push(hop)
  }
  return ordered
}

/**
 * @param {string} title
 * @param {string} name
 * @param {string} section of terms.js
 * @param {string} unit of the large number
 * @param {...HTMLElement} actions
 */
function makeCard(title, name, section, unit, ...actions) {
  return element(
    'li',
    { class: 'hop', 'data-terms': section },
    element('div', { class: 'hop-head' }, element('h3', {}, title), ...actions),
    element('p', { class: 'rate' }, element('span'), ' ', label(section, unit, name)),
    makePause(name),
    makeBrief('stall', `about-stall-${name}`, `more about why ${name} does no work`),
    element('dl'),
  )
}

/** The dead letters of the last snapshot. */
let deadLetters = 0

function makeQueue() {
  const button = element('button', { type: 'button', class: 'quiet', hidden: true }, 'Redrive…')
  button.addEventListener('click', () => void askRedrive(deadLetters))
  return makeCard('SQS', 'sqs', 'sqs', 'waiting', button)
}

/** @param {Hop} hop */
function makeHop({ name }) {
  const button = element('button', { type: 'button', class: 'quiet' }, 'Pause')
  button.addEventListener('click', () => void changePause(name, button))
  return makeCard(name, name, name === bridge ? bridge : 'stage', 'orders/s', button)
}

/**
 * @param {HTMLElement} card
 * @param {Snapshot['sqs']} sqs
 */
function drawQueue(card, sqs) {
  deadLetters = sqs?.dead_letters ?? 0
  find('.hop-head > button', card).hidden = deadLetters === 0
  if (!sqs) {
    drawRate(card, '–', 'not known, since this process has no right to read the queue, or SQS does not answer')
    return drawFacts(card, [])
  }
  drawRate(card, number(sqs.visible), `${exact(sqs.visible)} messages wait in SQS`)
  drawFacts(card, [
    { name: 'In flight', text: number(sqs.in_flight), detail: exact(sqs.in_flight) },
    {
      name: 'Dead letters',
      text: number(sqs.dead_letters),
      detail: exact(sqs.dead_letters),
      kind: deadLetters > 0 ? 'bad' : undefined,
    },
  ])
}

/**
 * @param {HTMLElement} card
 * @param {Hop} hop
 * @param {number} now ms
 * @param {Snapshot['archive']} archived
 */
function drawHop(card, hop, now, archived) {
  setData(card, 'flowing', hop.per_second > 0)
  setData(card, 'paused', hop.paused !== null)
  drawRate(card, rate(hop.per_second), `${exact(hop.per_second)} orders a second`)
  const button = find('button', card)
  show(button, hop.paused ? 'Resume' : 'Pause')
  button.setAttribute('aria-label', `${hop.paused ? 'Resume' : 'Pause'} ${hop.name}`)
  drawPause(find('.paused', card), hop.paused, now)
  setData(card, 'stall', hop.stall !== null)
  drawBrief(find('.stall', card), hop.stall)
  drawFacts(card, factsOf(hop, now, archived))
}

/**
 * @param {HTMLElement} card
 * @param {string} text
 * @param {string} detail
 */
function drawRate(card, text, detail) {
  const button = find('.rate > .label', card)
  show(find('.rate > span', card), text, detail)
  explainValue(button, card.dataset['terms'] ?? '', button.textContent, detail)
}

/**
 * @param {HTMLElement} card
 * @param {Fact[]} facts
 */
function drawFacts(card, facts) {
  const section = card.dataset['terms'] ?? ''
  keep(find('dl', card), facts, ({ name }) => name, {
    make: ({ name }) => element('div', {}, element('dt', {}, label(section, name, card.dataset['key'])), element('dd')),
    draw: (fact, { name, text, detail, kind }) => {
      show(find('dd', fact), text, detail)
      explainValue(find('.label', fact), section, name, detail)
      setData(fact, 'kind', kind)
    },
  })
}

/**
 * @param {string} component
 * @param {HTMLElement} button
 */
async function changePause(component, button) {
  const pause = button.textContent === 'Pause'
  const given = pause
    ? await askFor({
        title: `Pause ${component}?`,
        text: 'It finishes what is in flight. After that, orders wait until someone resumes it. No order is lost.',
        fields: [{ name: 'reason', label: 'Reason (shown to others)', required: false }],
        action: 'Pause',
      })
    : { reason: '' }
  if (!given) return
  const body = given.reason ? { reason: given.reason } : {}
  const reply = await act('POST', `admin/${pause ? 'pause' : 'resume'}/${encodeURIComponent(component)}`, body)
  if (reply) notice(reply.message)
}
