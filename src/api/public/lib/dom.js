// @ts-check

/**
 * @typedef {string | number | boolean | undefined | ((event: Event) => unknown)} Attribute
 * @typedef {'good' | 'warn' | 'bad' | undefined} Kind
 */

/**
 * Makes an element with attributes (`on…` are listeners) and children. Strings become text and never HTML: anyone can send
 * an order.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value)
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : String(value))
  }
  made.append(...children)
  return made
}

/**
 * Finds an element of the page, or of a part of it.
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {HTMLElement}
 */
export function find(selector, within = document) {
  const found = within.querySelector(selector)
  if (found instanceof HTMLElement) return found
  throw new Error(`The page has no ${selector}.`)
}

/**
 * Shows a text, and an exact one on hover.
 * @param {HTMLElement} node
 * @param {string} text
 * @param {string} [exact]
 */
export function show(node, text, exact = '') {
  if (node.textContent !== text) node.textContent = text
  if (node.title !== exact) node.title = exact
}

/**
 * @param {HTMLElement} node
 * @param {string} name
 * @param {string | boolean | undefined} value
 */
export function setData(node, name, value) {
  if (value === undefined || value === false) delete node.dataset[name]
  else node.dataset[name] = value === true ? '' : value
}

/**
 * Keeps one element per item in the order of the items. An element is made once and lives as long as its item. The focus
 * stays where it is.
 * @template T
 * @template {HTMLElement} E
 * @param {HTMLElement} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {{ make(item: T): E, draw(child: E, item: T, index: number): void }} parts `draw` is called each time
 */
export function keep(parent, items, keyOf, { make, draw }) {
  const old = new Map(childrenOf(parent).map((child) => [child.dataset['key'], child]))
  let place = parent.firstElementChild
  for (const [index, item] of items.entries()) {
    const key = keyOf(item)
    const child = /** @type {E} */ (old.get(key) ?? make(item)) // what stands there was made here
    child.dataset['key'] = key
    old.delete(key)
    if (child === place) place = place.nextElementSibling
    else move(parent, child, place)
    draw(child, item, index)
  }
  for (const child of old.values()) child.remove()
}

/**
 * @param {HTMLElement} parent
 * @returns {HTMLElement[]}
 */
export const childrenOf = (parent) => [...parent.children].filter((child) => child instanceof HTMLElement)

/**
 * Moves a child. moveBefore, where the browser has it, keeps focus and state.
 * @param {HTMLElement & { moveBefore?(child: Node, before: Node | null): void }} parent
 * @param {HTMLElement} child
 * @param {Element | null} before
 */
function move(parent, child, before) {
  if (child.isConnected && parent.moveBefore) parent.moveBefore(child, before)
  else parent.insertBefore(child, before)
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let noticeTimer

/**
 * Shows the result of an action for ten seconds.
 * @param {string} text
 * @param {Kind} kind
 */
export function notice(text, kind = 'good') {
  const place = find('#notice')
  place.textContent = text
  place.dataset['kind'] = kind
  avoidButtons(place)
  clearTimeout(noticeTimer)
  noticeTimer = setTimeout(() => {
    place.textContent = ''
  }, 10_000)
}

/**
 * Moves a notice to the first edge of the window where it lies over nothing that acts. Labels are everywhere.
 * @param {HTMLElement} place
 */
function avoidButtons(place) {
  const buttons = [...document.querySelectorAll('button:not([data-explained]), a, summary')].map((button) =>
    button.getBoundingClientRect(),
  )
  for (const edge of ['bottom', 'top', 'middle', 'bottom']) {
    place.dataset['edge'] = edge
    const own = place.getBoundingClientRect()
    if (!buttons.some((button) => overlaps(own, button))) return
  }
}

/**
 * @param {DOMRect} one
 * @param {DOMRect} other
 */
const overlaps = (one, other) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
