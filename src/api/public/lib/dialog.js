import { element } from './dom.js'

/**
 * A dialog with a form; Escape or Cancel calls it off.
 * @returns what was given, by the fields' names; undefined where it was called off
 */
export async function askFor({ title, text, fields = [], action, danger = false }) {
  const form = element('form', { method: 'dialog' })
  const dialog = openDialog(title, element('p', {}, text), form)
  const cancel = element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Cancel')
  const submit = element('button', { type: 'submit', class: danger ? 'danger' : 'main' }, action)
  form.append(...fields.map(fieldOf), element('div', { class: 'buttons' }, cancel, submit))
  let given
  form.addEventListener('submit', () => {
    given = Object.fromEntries(new FormData(form))
  })
  const first = form.querySelector('input, textarea') ?? submit
  first.focus()
  first.setSelectionRange?.(0, 0) // a long order is shown from its beginning
  await closed(dialog)
  return given
}

/** An open dialog; once it is closed it is gone. */
export function openDialog(title, ...children) {
  const heading = element('h2', { id: `dialog-${crypto.randomUUID()}` }, title)
  const dialog = element('dialog', { 'aria-labelledby': heading.id }, heading, ...children)
  document.body.append(dialog)
  dialog.addEventListener('close', () => dialog.remove())
  dialog.showModal()
  return dialog
}

const closed = (dialog) => new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }))

/** @param check gives what is wrong with a value, or nothing */
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
