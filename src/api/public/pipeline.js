import { act } from './actions.js'
import { askFor } from './lib/dialog.js'
import { element, keep, notice, setData, show } from './lib/dom.js'
import { ago, duration, exact, exactTime, number, rate } from './lib/format.js'

const list = document.querySelector('#line')

/** The line as it is: what comes first stands first, what takes from the same hop stands below each other. */
export function drawLine({ at, sqs, hops }) {
  const columns = new Map([['sqs', 1]])
  for (const { name, after } of inOrder(hops)) columns.set(name, (columns.get(after) ?? 1) + 1)
  list.style.setProperty('--columns', Math.max(...columns.values()))
  const now = Date.parse(at)
  const taken = new Set()
  keep(list, [{ name: 'sqs', sqs }, ...hops], ({ name }) => name, {
    make: (item) => (item.name === 'sqs' ? makeCard('SQS') : makeHop(item)),
    draw: (card, item) => {
      const column = columns.get(item.name)
      card.style.setProperty('--column', column)
      setData(card, 'branch', taken.has(column))
      taken.add(column)
      if (item.name === 'sqs') return drawQueue(card, sqs)
      setData(card, 'after', item.after)
      drawHop(card, item, now)
    },
  })
}

/** Each behind what it takes from, wherever it stands in the pipeline. */
function inOrder(hops) {
  const placed = new Set(['sqs'])
  const left = [...hops]
  const ordered = []
  while (left.length > 0) {
    const next = left.findIndex(({ after }) => placed.has(after))
    const [hop] = left.splice(Math.max(0, next), 1)
    placed.add(hop.name)
    ordered.push(hop)
  }
  return ordered
}

function makeCard(title, ...actions) {
  return element(
    'li',
    { class: 'hop' },
    element('div', { class: 'hop-head' }, element('h3', {}, title), ...actions),
    element('p', { class: 'rate' }),
    element('p', { class: 'paused', hidden: true }),
    element('dl'),
  )
}

function makeHop({ name }) {
  const button = element('button', { type: 'button', class: 'quiet', onclick: () => steer(name, button) }, 'Pause')
  return makeCard(name, button)
}

function drawQueue(card, sqs) {
  const place = card.querySelector('.rate')
  if (!sqs) {
    show(place, 'not known', 'SQS does not tell this process: it may not read the queue, or cannot reach it.')
    return drawFacts(card, [])
  }
  show(place, `${number(sqs.visible)} waiting`, `${exact(sqs.visible)} messages wait in SQS`)
  drawFacts(card, [
    { name: 'In flight', text: number(sqs.in_flight), detail: exact(sqs.in_flight) },
    {
      name: 'Dead letters',
      text: number(sqs.dead_letters),
      detail: exact(sqs.dead_letters),
      kind: sqs.dead_letters > 0 ? 'bad' : undefined,
    },
  ])
}

function drawHop(card, hop, now) {
  setData(card, 'flowing', hop.per_second > 0)
  setData(card, 'paused', hop.paused !== null)
  show(card.querySelector('.rate'), `${rate(hop.per_second)} /s`, `${exact(hop.per_second)} orders a second`)
  const button = card.querySelector('button')
  show(button, hop.paused ? 'Resume' : 'Pause')
  button.setAttribute('aria-label', `${hop.paused ? 'Resume' : 'Pause'} ${hop.name}`)
  drawPause(card.querySelector('.paused'), hop.paused, now)
  const oldest = hop.oldest_pending_ms
  drawFacts(card, [
    { name: 'Waiting', text: number(hop.waiting), detail: exact(hop.waiting) },
    { name: 'Wait p50', text: duration(hop.p50_ms), detail: exactMs(hop.p50_ms) },
    { name: 'Wait p99', text: duration(hop.p99_ms), detail: exactMs(hop.p99_ms) },
    ...(hop.consumers === null
      ? []
      : [
          {
            name: 'In hand',
            text: number(hop.pending),
            detail: `${exact(hop.pending)} entries delivered and not acknowledged`,
          },
          { name: 'Oldest', text: duration(oldest), detail: oldest === null ? 'None' : `${exact(oldest)} ms` },
          { name: 'Consumers', text: number(hop.consumers), detail: exact(hop.consumers) },
        ]),
  ])
}

const exactMs = (ms) => (ms === null ? 'No order came by in the last 20 seconds' : `${exact(ms)} ms`)

function drawPause(place, paused, now) {
  place.hidden = paused === null
  if (!paused) return
  const since = paused.ts ? ` ${ago(paused.ts, now)}` : ''
  const why = paused.reason ? `: ${paused.reason}` : ''
  show(place, `Paused by ${paused.by}${since}${why}`, paused.ts ? exactTime(paused.ts) : '')
}

function drawFacts(card, facts) {
  keep(card.querySelector('dl'), facts, ({ name }) => name, {
    make: ({ name }) => element('div', {}, element('dt', {}, name), element('dd')),
    draw: (fact, { text, detail, kind }) => {
      show(fact.lastChild, text, detail)
      setData(fact, 'kind', kind)
    },
  })
}

async function steer(part, button) {
  const pause = button.textContent === 'Pause'
  const given = pause
    ? await askFor({
        title: `Pause ${part}?`,
        text: 'What it has in hand is done first; then orders wait before it until somebody resumes it. None is lost.',
        fields: [{ name: 'reason', label: 'Why (others see it)', required: false }],
        action: 'Pause',
      })
    : {}
  if (!given) return
  const body = given.reason ? { reason: given.reason } : {}
  const reply = await act('POST', `admin/${pause ? 'pause' : 'resume'}/${encodeURIComponent(part)}`, body)
  if (reply) notice(reply.message)
}
