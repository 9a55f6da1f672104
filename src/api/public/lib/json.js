const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gs
/** Deeper than that nobody reads; a hostile order is a thousand deep. */
const deepest = 20

/** JSON set out in lines, each number and string as it was written: parsed and written again they might be others. */
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

const newLine = (depth) => `\n${'  '.repeat(Math.min(depth, deepest))}`

export function isJson(text) {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The text of a member of a JSON object, as it was written. */
export function memberText(json, name) {
  const wanted = JSON.stringify(name)
  let depth = 0
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
