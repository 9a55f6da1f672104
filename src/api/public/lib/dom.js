/**
 * An element with attributes (`on…` are listeners) and children. Strings become text and never HTML: orders come from
 * anybody.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value)
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value)
  }
  made.append(...children)
  return made
}

/** @param exact what is told on hover */
export function show(node, text, exact = '') {
  if (node.textContent !== text) node.textContent = text
  if (node.title !== exact) node.title = exact
}

export function setData(node, name, value) {
  if (value === undefined || value === false) delete node.dataset[name]
  else node.dataset[name] = value === true ? '' : value
}

/**
 * One element per item, in the items' order: made once, kept as long as its item is there. What has the focus keeps it.
 * @param make makes an item's element @param draw called with the element and the item each time
 */
export function keep(parent, items, keyOf, { make, draw }) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]))
  let place = parent.firstElementChild
  for (const [index, item] of items.entries()) {
    const key = keyOf(item)
    const child = old.get(key) ?? make(item)
    child.dataset.key = key
    old.delete(key)
    if (child === place) place = place.nextElementSibling
    else move(parent, child, place)
    draw(child, item, index)
  }
  for (const child of old.values()) child.remove()
}

/** moveBefore leaves focus and state where they are. */
function move(parent, child, before) {
  if (child.isConnected && parent.moveBefore) parent.moveBefore(child, before)
  else parent.insertBefore(child, before)
}

let noticeTimer

/** Tells what came of an action, for some seconds. */
export function notice(text, kind = 'good') {
  const place = document.querySelector('#notice')
  place.textContent = text
  place.dataset.kind = kind
  clearTimeout(noticeTimer)
  noticeTimer = setTimeout(() => {
    place.textContent = ''
  }, 10_000)
}
