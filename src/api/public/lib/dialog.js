// @ts-check
import { element } from './dom.js'

/**
 * A field of a form. Other attributes go to the input as they are.
 * @typedef {object} FieldText
 * @property {string} name
 * @property {string} label
 * @property {string} [value]
 * @property {boolean} [required] the default is true
 * @typedef {FieldText & { maxlength?: string, autocomplete?: string, type?: string, pattern?: string }} Field
 */

/**
 * Opens a dialog with a form. Escape and Cancel close it. Where the action is a danger, Cancel is the bright button.
 * @template {string} [N=string]
 * @param {{ title: string, text: string, fields?: (Field & { name: N })[], action: string, danger?: boolean, cancel?: string }} asked
 * @returns {Promise<Record<N, string> | undefined>} the values by field name; undefined if the dialog was canceled
 */
export async function askFor({ title, text, fields = [], action, danger = false, cancel = 'Cancel' }) {
  const form = element('form', { method: 'dialog' })
  const dialog = openDialog(title, element('p', {}, text), form)
  const kinds = danger ? ['main', 'danger'] : ['quiet', 'main']
  const safe = element('button', { type: 'button', class: kinds[0], onclick: () => dialog.close() }, cancel)
  const submit = element('button', { type: 'submit', class: kinds[1] }, action)
  form.append(...fields.map(fieldOf), element('div', { class: 'buttons' }, safe, submit))
  /** @type {Record<N, string> | undefined} */
  let given
  form.addEventListener('submit', () => {
    given = /** @type {Record<N, string>} */ (Object.fromEntries(new FormData(form)))
  })
  const first = form.querySelector('input') ?? (danger ? safe : submit)
  first.focus()
  await closed(dialog)
  return given
}

/** Dialogs that close by `dialog.close('done')` only. */
const guarded = new WeakSet()
let opened = 0

/**
 * Opens a dialog that is removed when it closes.
 * @param {string} title
 * @param {...HTMLElement} children
 */
export function openDialog(title, ...children) {
  const heading = element('h2', { id: `dialog-${++opened}` }, title)
  const dialog = element('dialog', { 'aria-labelledby': heading.id }, heading, ...children)
  document.body.append(dialog)
  dialog.addEventListener('close', () => {
    if (!guarded.has(dialog) || dialog.returnValue === 'done') dialog.remove()
  })
  dialog.showModal()
  return dialog
}

/**
 * Lets a dialog close by `dialog.close('done')` only. Escape, a click outside and the back gesture of a phone ask first.
 * @param {HTMLDialogElement} dialog
 * @param {() => unknown} ask
 */
export function guard(dialog, ask) {
  guarded.add(dialog)
  /** @param {Event} event */
  const askFirst = (event) => {
    event.preventDefault()
    ask()
  }
  let pressedOutside = false
  dialog.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) askFirst(event)
  })
  dialog.addEventListener('cancel', askFirst)
  dialog.addEventListener('pointerdown', (event) => {
    pressedOutside = isOutside(dialog, event)
  })
  // A selection that begins in the text and ends outside is no click outside.
  dialog.addEventListener('click', (event) => {
    if (pressedOutside && event.target === dialog && isOutside(dialog, event)) askFirst(event)
  })
  // A browser closes a dialog all the same at the second request in a row.
  dialog.addEventListener('close', (event) => {
    if (dialog.returnValue === 'done') return
    event.stopImmediatePropagation()
    dialog.showModal()
    ask()
  })
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {MouseEvent} event
 */
function isOutside(dialog, { clientX, clientY }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect()
  return clientX < left || clientX > right || clientY < top || clientY > bottom
}

/**
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<unknown>}
 */
export const closed = (dialog) => new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }))

/** @param {Field} field */
function fieldOf({ name, label, value = '', required = true, ...attributes }) {
  const input = element('input', {
    type: 'text',
    name,
    required,
    autocomplete: 'off',
    spellcheck: 'false',
    ...attributes,
  })
  input.value = value
  return element('label', {}, element('span', {}, label), input)
}
