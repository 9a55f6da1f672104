// @ts-check
import { write } from '../actions.js'
import { askFor, closed, guard, openDialog } from '../lib/dialog.js'
import { element, show } from '../lib/dom.js'
import { pretty } from '../lib/json.js'
import { faultText, jsonFault } from '../lib/json-fault.js'

/** @typedef {import('./entry.js').Entry} Entry */
/** @typedef {ReturnType<typeof makeEditor>} Editor */

const explained = 'Your version replaces it and goes through all the rules. The old text is kept with it.'

/**
 * Opens the editor on an order. It stays open, with the text in it, until the API has accepted that text or the operator
 * drops it.
 * @param {Entry} entry
 * @returns {Promise<{ text: string, jobId: string } | undefined>} what was sent; undefined if nothing was
 */
export async function editEntry(entry) {
  const editor = makeEditor(pretty(entry.text ?? ''))
  const cancel = element('button', { type: 'button', class: 'quiet', onclick: leave }, 'Cancel')
  const submit = element('button', { type: 'submit', class: 'main' }, 'Requeue')
  const buttons = element('div', { class: 'buttons' }, cancel, submit)
  const form = element('form', { novalidate: true, onsubmit: send }, ...editor.elements, buttons)
  const why = `${entry.reason}. ${entry.hint ? `${entry.hint} ` : ''}${explained}`
  const dialog = openDialog('Edit and retry', element('p', {}, why), form)
  guard(dialog, leave)
  /** @type {{ text: string, jobId: string } | undefined} */
  let sent

  async function leave() {
    if (editor.isLocked()) return
    if (editor.isChanged() && !(await mayDrop())) return editor.focus()
    dialog.close('done')
  }

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault()
    if (editor.isLocked() || !editor.judge({ go: true })) return
    setLocked(true)
    const text = editor.text()
    const { reply, failure = 'No name or no token was given.' } = await write('PUT', `orders/invalid/${entry.id}`, text)
    setLocked(false)
    if (!reply) return editor.say(`Not sent, and your text is kept here. ${failure}`)
    sent = { text, jobId: reply.job_id }
    dialog.close('done')
  }

  /** @param {boolean} locked */
  function setLocked(locked) {
    editor.lock(locked)
    show(submit, locked ? 'Sending…' : 'Requeue')
  }

  editor.start()
  await closed(dialog)
  editor.end()
  return sent
}

/**
 * Makes the text area, with the first fault of its text below it. While the text is changed, the browser asks before it
 * leaves the page.
 * @param {string} given
 */
function makeEditor(given) {
  const fault = element('p', { id: 'edit-fault', role: 'alert', class: 'fault' })
  const area = element('textarea', { rows: 16, spellcheck: 'false', autocomplete: 'off', 'aria-describedby': fault.id })
  area.value = given
  const untouched = area.value // with the line ends of a text area
  const isChanged = () => area.value !== untouched
  /** @param {Event} event */
  const warn = (event) => event.preventDefault()

  function say(message = '') {
    show(fault, message)
    area.setAttribute('aria-invalid', `${message !== ''}`)
  }

  /** Names the first fault of the text. Returns true if there is none. */
  function judge({ go = false } = {}) {
    const found = jsonFault(area.value)
    say(found && faultText(found))
    if (found && go) goTo(area, found.at)
    return found === undefined
  }

  area.addEventListener('input', () => {
    if (isChanged()) addEventListener('beforeunload', warn)
    else removeEventListener('beforeunload', warn)
    if (fault.textContent) judge()
  })
  return {
    elements: [element('label', {}, element('span', {}, 'Order (JSON)'), area), fault],
    ...{ isChanged, say, judge },
    text: () => area.value,
    focus: () => area.focus(),
    isLocked: () => area.readOnly,
    lock: (/** @type {boolean} */ locked) => {
      area.readOnly = locked
    },
    /** Shows an order from its beginning, however long it is. */
    start: () => {
      judge()
      area.focus()
      area.setSelectionRange(0, 0)
      area.scrollTop = 0
    },
    end: () => removeEventListener('beforeunload', warn),
  }
}

const mayDrop = async () =>
  (await askFor({
    title: 'Drop your changes?',
    text: 'The order stays as it was.',
    action: 'Drop them',
    danger: true,
    cancel: 'Keep editing',
  })) !== undefined

/**
 * Puts the caret at a place and scrolls there: browsers scroll to a caret only when the focus comes in.
 * @param {HTMLTextAreaElement} area
 * @param {number} at
 */
function goTo(area, at) {
  area.blur()
  area.setSelectionRange(at, at)
  area.focus()
}
