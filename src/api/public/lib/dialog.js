// @ts-check
import { element } from './dom.js'

/**
 * A field of a form. Other attributes go to the input as they are.
 * @typedef {object} FieldText
 * @property {string} name
 * @property {string} label
 * @property {string} [value]
 * @property {number} [lines] makes it a text area
 * @property {boolean} [required] the default is true
 * @property {(value: string) => string | undefined} [check] returns what is wrong with a value
 * @typedef {FieldText & { maxlength?: string, autocomplete?: string, type?: string, pattern?: string }} Field
 */

/**
 * Opens a dialog with a form. Escape and Cancel close it.
 * @template {string} [N=string]
 * @param {{ title: string, text: string, fields?: (Field & { name: N })[], action: string, danger?: boolean }} asked
 * @returns {Promise<Record<N, string> | undefined>} the values by field name; undefined if the dialog was canceled
 */
export async function askFor({ title, text, fields = [], action, danger = false }) {
  const form = element('form', { method: 'dialog' })
  const dialog = openDialog(title, element('p', {}, text), form)
  const cancel = element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Cancel')
  const submit = element('button', { type: 'submit', class: danger ? 'danger' : 'main' }, action)
  form.append(...fields.map(fieldOf), element('div', { class: 'buttons' }, cancel, submit))
  /** @type {Record<N, string> | undefined} */
  let given
  form.addEventListener('submit', () => {
    given = /** @type {Record<N, string>} */ (Object.fromEntries(new FormData(form)))
  })
  const first = form.querySelector('input') ?? form.querySelector('textarea')
  if (first) first.focus()
  else submit.focus()
  first?.setSelectionRange(0, 0) // shows a long order from its beginning
  await closed(dialog)
  return given
}

/**
 * Opens a dialog that is removed when it closes.
 * @param {string} title
 * @param {...HTMLElement} children
 */
export function openDialog(title, ...children) {
  const heading = element('h2', { id: `dialog-${crypto.randomUUID()}` }, title)
  const dialog = element('dialog', { 'aria-labelledby': heading.id }, heading, ...children)
  document.body.append(dialog)
  dialog.addEventListener('close', () => dialog.remove())
  dialog.showModal()
  return dialog
}

/**
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<unknown>}
 */
const closed = (dialog) => new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }))

/** @param {Field} field */
function fieldOf({ name, label, value = '', lines, required = true, check, ...attributes }) {
  const given = { name, required, autocomplete: 'off', spellcheck: 'false', ...attributes }
  const input = lines ? element('textarea', { ...given, rows: lines }) : element('input', { type: 'text', ...given })
  input.value = value
  if (check) {
    const judge = () => input.setCustomValidity(check(input.value) ?? '')
    input.addEventListener('input', judge)
    judge()
  }
  return element('label', {}, element('span', {}, label), input)
}
