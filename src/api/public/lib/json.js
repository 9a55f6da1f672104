// @ts-check

const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gs
/** Indents no further: a hostile order is a thousand levels deep. */
const maxIndent = 20

/**
 * Lays JSON out in lines. Numbers and strings stay as they were written: parsing could change them.
 * @param {string} text
 */
export function pretty(text) {
  if (!isJson(text)) return text
  let depth = 0
  let lines = ''
  let last = ''
  for (const [token] of text.matchAll(tokens)) {
    const closes = token === '}' || token === ']'
    if (closes) depth--
    const empty = closes && (last === '{' || last === '[')
    if (!empty && (closes || last === '{' || last === '[' || last === ',')) lines += newLine(depth)
    lines += token === ':' ? ': ' : token
    if (token === '{' || token === '[') depth++
    last = token
  }
  return lines
}

/** @param {number} depth */
const newLine = (depth) => `\n${'  '.repeat(Math.min(depth, maxIndent))}`

/** @param {string} text */
export function isJson(text) {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * Returns the text of a member of a JSON object as it was written.
 * @param {string} json
 * @param {string} name
 * @returns {string | undefined}
 */
export function memberText(json, name) {
  const wanted = JSON.stringify(name)
  let depth = 0
  /** @type {number | undefined} */
  let from
  let last = ''
  for (const { 0: token, index } of json.matchAll(tokens)) {
    if (from === undefined && depth === 1 && token === ':' && last === wanted) from = index + 1
    else if (from !== undefined && depth === 1 && (token === ',' || token === '}')) return json.slice(from, index)
    if (token === '{' || token === '[') depth++
    if (token === '}' || token === ']') depth--
    last = token
  }
  return undefined
}

/**
 * Returns the identity of an order, each id as the pipeline reads it; undefined if it has none.
 * @param {string} text
 * @returns {{ user: string, order: string } | undefined}
 */
export function identityIn(text) {
  if (!isJson(text)) return undefined
  const parsed = JSON.parse(text)
  /** @param {string} name */
  const idOf = (name) => {
    const value = parsed?.[name]
    // An integer beyond 2^53 is taken as its digits as they were sent.
    return Number.isInteger(value) ? memberText(text, name)?.trim() : typeof value === 'string' ? value : undefined
  }
  const [user, order] = [idOf('user_id'), idOf('order_id')]
  return user !== undefined && order !== undefined ? { user, order } : undefined
}
