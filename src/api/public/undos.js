// @ts-check
import { read, write } from './actions.js'
import { jobEnd } from './failed/entry.js'
import { askFor, openDialog } from './lib/dialog.js'
import { element, find, setData, show } from './lib/dom.js'
import { exact, exactTime } from './lib/format.js'

/** @typedef {import('../../control/undo/undos.ts').Undo} Undo */
/** @typedef {import('../../control/undo/undo-job.ts').UndoResult} UndoResult */

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
  const list = element('div', { class: 'scroll' })
  const close = element('button', { type: 'button', class: 'main', onclick: () => dialog.close() }, 'Close')
  const about = 'An undo takes back the orders of a window, as if they had never come: orders undo makes one.'
  const dialog = openDialog(
    'Undos',
    element('p', {}, about),
    message,
    list,
    element('div', { class: 'buttons' }, close),
  )

  async function draw() {
    const { undos } = JSON.parse(await read('undos'))
    show(message, undos.length === 0 ? 'There is none.' : '')
    list.replaceChildren(...(undos.length === 0 ? [] : [tableOf(undos, redo)]))
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
 * @param {Undo[]} undos
 * @param {(name: string) => unknown} redo
 */
function tableOf(undos, redo) {
  const head = ['Undo', 'State', 'Orders', 'Revenue', 'Window', 'By', '']
  const rows = undos.map((undo) => element('tr', {}, ...cellsOf(undo, redo)))
  const heads = head.map((text) => element('th', { scope: 'col' }, text))
  return element(
    'table',
    { class: 'days' },
    element('thead', {}, element('tr', {}, ...heads)),
    element('tbody', {}, ...rows),
  )
}

/**
 * @param {Undo} undo
 * @param {(name: string) => unknown} redo
 */
function cellsOf({ name, state, from, to, by, where, radius, undone }, redo) {
  const { orders, revenue } = undone ?? radius ?? { orders: 0, revenue: 0 }
  const filter = Object.entries(where ?? {}).map(([field, value]) => `, ${field} ${value}`)
  const window = `${exactTime(from)} to ${exactTime(to)}${filter.join('')}`
  const texts = [state, exact(orders), String(revenue), window, by]
  const button = element('button', { type: 'button', onclick: () => redo(name) }, 'Redo…')
  return [
    element('th', { scope: 'row' }, name, ...(radius?.warning === undefined ? [] : [element('p', {}, radius.warning)])),
    ...texts.map((text) => element('td', {}, text)),
    element('td', {}, ...(state === 'redone' ? [] : [button])),
  ]
}
