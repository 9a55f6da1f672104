// @ts-check
import { element, find, show } from './dom.js'
import { terms } from './terms.js'

/*
 * Explains labels: a label is a button, and its sentence is shown under the pointer, at the focus or by a tap. Escape hides
 * it. Assistive technology reads the sentence as the description of the button.
 */

const margin = 8
const box = element('div', { id: 'explanation', popover: 'manual' })
/** The sentences, for assistive technology. */
const sentences = element('div', { hidden: true })
document.body.append(sentences)
find('main').append(box)

/** @type {HTMLElement | undefined} */
let shown

/**
 * Makes a label with its sentence.
 * @param {string} section a section of terms.js
 * @param {string} name
 * @param {string} [of] keeps the ids of labels of the same section apart
 */
export function label(section, name, of = section) {
  const button = explained(name, `about-${of}-${name}`.replaceAll(/[^\w-]/g, '_'))
  button.className = 'label'
  explain(button, terms[section]?.[name] ?? '')
  return button
}

/**
 * Makes a button that shows a text which `explain` sets.
 * @param {string} name
 * @param {string} id of the text
 */
export function explained(name, id) {
  if (!document.getElementById(id)) sentences.append(element('span', { id }))
  return element('button', { type: 'button', 'aria-describedby': id, 'data-explained': true }, name)
}

/**
 * Sets the text of a button.
 * @param {HTMLElement} button
 * @param {string} sentence
 */
export function explain(button, sentence) {
  const text = textOf(button)
  if (text) show(text, sentence)
  if (button === shown) show(box, sentence)
}

/**
 * Adds the exact value to the sentence of a label.
 * @param {HTMLElement} button
 * @param {string} section
 * @param {string} name
 * @param {string} exact
 */
export function explainValue(button, section, name, exact) {
  explain(button, [terms[section]?.[name], exact && `Now: ${exact}.`].filter(Boolean).join(' '))
}

/** @param {Element} button */
const textOf = (button) => document.getElementById(button.getAttribute('aria-describedby') ?? '')

/** @param {HTMLElement} button */
function open(button) {
  shown = button
  show(box, textOf(button)?.textContent ?? '')
  box.showPopover?.()
  place()
}

function close() {
  shown = undefined
  box.hidePopover?.()
}

/** Places the box below its button, or above it at the end of the window. */
function place() {
  if (!shown) return
  const { left, top, bottom } = shown.getBoundingClientRect()
  if (!shown.isConnected || bottom < 0 || top > innerHeight) return close()
  const { offsetWidth: width, offsetHeight: height } = box
  box.style.left = `${Math.max(margin, Math.min(left, innerWidth - width - margin))}px`
  box.style.top = `${bottom + height + margin < innerHeight ? bottom : Math.max(margin, top - height)}px`
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLElement | null}
 */
const buttonAt = (target) => (target instanceof Element ? target.closest('[data-explained]') : null)

/** @param {Event} event */
const isInBox = ({ target }) => target instanceof Node && box.contains(target)

document.addEventListener('pointerover', (event) => {
  if (event.pointerType !== 'mouse' || isInBox(event)) return
  const button = buttonAt(event.target)
  if (button) open(button)
  else if (shown && shown !== document.activeElement) close()
})
document.addEventListener('focusin', ({ target }) => {
  const button = buttonAt(target)
  if (button?.matches(':focus-visible')) open(button)
  else if (shown !== button) close()
})
document.addEventListener('click', (event) => {
  const button = buttonAt(event.target)
  if (button) open(button)
  else if (!isInBox(event)) close()
})
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') close()
})
document.addEventListener('scroll', place, { capture: true, passive: true })
addEventListener('resize', place)
