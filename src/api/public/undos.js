// @ts-check
import { read, write } from './actions.js'
import { jobEnd } from './failed/entry.js'
import { askFor, openDialog } from './lib/dialog.js'
import { element, find, setData, show } from './lib/dom.js'
import { exact, exactTime, minorOf, money } from './lib/format.js'

/** @typedef {import('../../control/undo/undos.ts').Undo} Undo */
/** @typedef {import('../../control/undo/undo-job.ts').UndoResult} UndoResult */

/** @type {import('./lib/format.js').Currency} */
let currency = {}

/**
 * Notes the currency of all amounts.
 * @param {import('../live/snapshot.ts').Snapshot} snapshot
 */
export function noteCurrency(snapshot) {
  currency = { currency: snapshot.currency, decimals: snapshot.decimals }
}

/** Makes the link in the head of the page open the list of undos. Without scripts it leads to the list of the API. */
export function linkUndos() {
  find('#undos').addEventListener('click', (event) => {
    event.preventDefault()
    void showUndos()
  })
}

/** Lists the undos with what they did. */
async function showUndos() {
  const message = element('p', { role: 'status', class: 'message' }, 'Reading…')
  const list = element('ul', { class: 'undos' })
  const close = element('button', { type: 'button', class: 'main', onclick: () => dialog.close() }, 'Close')
  const about = 'An undo takes back the orders of a window, as if they had never come. '
  const dialog = openDialog(
    'Undos',
    element('p', {}, about, element('code', {}, 'orders undo'), ' makes one.'),
    message,
    list,
    element('div', { class: 'buttons' }, close),
  )

  async function draw() {
    const { undos } = JSON.parse(await read('undos'))
    show(message, undos.length === 0 ? 'There is none.' : '')
    list.replaceChildren(...undos.map((/** @type {Undo} */ undo) => itemOf(undo, redo)))
  }

  /** @param {string} name */
  async function redo(name) {
    const text = `This puts back all orders that the undo ${name} took back.`
    if (!(await askFor({ title: 'Put the orders back?', text, action: 'Put them back', danger: true }))) return
    const { reply, failure } = await write('POST', `undos/${encodeURIComponent(name)}/redo`, {})
    if (failure !== undefined) say(failure)
    if (!reply) return
    show(message, reply.warning ?? 'Putting them back.')
    await jobEnd(reply.job_id, () => {})
      .then(async (/** @type {UndoResult} */ { left_reason }) => {
        await draw()
        if (left_reason !== undefined) say(left_reason)
      })
      .catch(failed)
  }

  /** @param {unknown} error */
  const failed = (error) => say(error instanceof Error ? error.message : String(error))

  /** @param {string} text */
  function say(text) {
    show(message, text)
    setData(message, 'kind', 'bad')
  }

  await draw().catch(failed)
}

/**
 * Makes the item of an undo: its name, what it did, when, and by whom. Its button puts the orders back.
 * @param {Undo} undo
 * @param {(name: string) => unknown} redo
 */
function itemOf({ name, state, from, to, by, where, radius, undone }, redo) {
  const { orders, revenue } = undone ?? radius ?? { orders: 0, revenue: 0 }
  const filter = Object.entries(where ?? {}).map(([field, value]) => `${field}=${value}`)
  const took = `${exact(orders)} ${orders === 1 ? 'order' : 'orders'} with ${money(minorOf(revenue, currency.decimals), currency)}`
  const lines = [
    `From ${exactTime(from)} to ${exactTime(to)}`,
    ...(filter.length > 0 ? [`Only ${filter.join(', ')}`] : []),
    `By ${by}`,
  ]
  const text = element(
    'div',
    {},
    element('h3', { dir: 'auto' }, name),
    element('p', {}, `${state}: ${took}`),
    ...lines.map((line) => element('p', { class: 'muted', dir: 'auto' }, line)),
    ...(radius?.warning === undefined ? [] : [element('p', {}, radius.warning)]),
  )
  const label = `Redo ${name}…`
  const button = element('button', { type: 'button', 'aria-label': label, onclick: () => redo(name) }, 'Redo…')
  return element('li', {}, text, ...(state === 'redone' ? [] : [button]))
}
