// @ts-check

/**
 * The first fault of a text that is no JSON.
 * @typedef {object} Fault
 * @property {number} at index in the text: where a person would begin to type
 * @property {number} line from 1
 * @property {number} column from 1, in characters as people count them
 * @property {string} problem what is expected there
 */

/** @typedef {{ at: number, problem: string }} Place */
/** @typedef {'value' | 'first value' | 'name' | 'first name' | 'colon' | 'comma'} Expected */

const space = /[ \t\n\r]*/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const word = /[^\s{}[\],:"]+/y
const escapes = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y
const words = ['true', 'false', 'null']

/**
 * Finds the first fault of a text that should be JSON; undefined if JSON.parse accepts it. The messages of engines differ,
 * and some name no position.
 * @param {string} text
 * @returns {Fault | undefined}
 */
export function jsonFault(text) {
  const place = faultIn(text)
  if (!place) return undefined
  const lines = text.slice(0, place.at).split('\n')
  return { ...place, line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1 }
}

/** @param {Fault} fault */
export const faultText = ({ line, column, problem }) => `Line ${line}, column ${column}: ${problem}.`

/**
 * Reads token by token, without recursion: a hostile order is a thousand levels deep.
 * @param {string} text
 * @returns {Place | undefined}
 */
function faultIn(text) {
  /** @type {string[]} */
  const open = []
  /** @type {Expected} */
  let expected = 'value'
  let end = 0 // of the last token
  for (;;) {
    const at = endOf(space, text, end)
    const token = text[at]
    const brackets = open.at(-1) === '{' ? '}' : ']'
    if (token === undefined) return atEnd(text, end, expected, open.at(-1))
    if (token === brackets && open.length > 0 && expected !== 'value' && expected !== 'name' && expected !== 'colon') {
      open.pop()
      end = at + 1
      expected = 'comma'
    } else if (expected === 'comma') {
      if (open.length === 0) return { at, problem: 'expected nothing more after the end of the order' }
      if (token !== ',') return notComma(token, at, end, brackets)
      end = at + 1
      expected = brackets === '}' ? 'name' : 'value'
    } else if (expected === 'colon') {
      if (token !== ':') return { at: end, problem: 'expected a colon' }
      end = at + 1
      expected = 'value'
    } else if (expected === 'name' || expected === 'first name') {
      if (token !== '"') return notName(token, at)
      const read = readText(text, at)
      if (typeof read !== 'number') return read
      end = read
      expected = 'colon'
    } else if (token === '{' || token === '[') {
      open.push(token)
      end = at + 1
      expected = token === '{' ? 'first name' : 'first value'
    } else {
      const read = token === '"' ? readText(text, at) : readScalar(text, at)
      if (typeof read !== 'number') return read
      end = read
      expected = 'comma'
    }
  }
}

/**
 * @param {RegExp} pattern sticky
 * @param {string} text
 * @param {number} at
 */
function endOf(pattern, text, at) {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/**
 * @param {string} text
 * @param {number} end
 * @param {Expected} expected
 * @param {string | undefined} inside
 * @returns {Place | undefined}
 */
function atEnd(text, end, expected, inside) {
  if (expected === 'comma' && inside === undefined) return undefined
  if (expected === 'colon') return { at: end, problem: 'expected a colon' }
  if (expected === 'value') return { at: end, problem: text.trim() === '' ? 'expected an order' : 'expected a value' }
  return { at: end, problem: `expected ${inside === '{' ? '}' : ']'} at the end` }
}

/**
 * A comma belongs right after the value, not before the next one, which may be on another line.
 * @param {string} token
 * @param {number} at
 * @param {number} end
 * @param {string} brackets
 * @returns {Place}
 */
function notComma(token, at, end, brackets) {
  if ('}]'.includes(token)) return { at, problem: `expected ${brackets} or a comma` }
  return { at: token === ':' ? at : end, problem: 'expected a comma' }
}

/**
 * @param {string} token
 * @param {number} at
 * @returns {Place}
 */
function notName(token, at) {
  if ('}]'.includes(token)) return { at, problem: 'expected a name, or no comma before' }
  return { at, problem: 'expected a name in double quotes' }
}

/**
 * Returns the end of a text in quotes, or its fault.
 * @param {string} text
 * @param {number} from its first quote
 * @returns {number | Place}
 */
function readText(text, from) {
  for (let at = from + 1; ; ) {
    while (isPlain(text.charCodeAt(at))) at++
    const stop = text[at]
    if (stop === '"') return at + 1
    if (stop === undefined) return { at: from, problem: 'expected a closing quote for this text' }
    if (stop === '\n' || stop === '\r') return { at, problem: 'expected a closing quote before the end of the line' }
    if (stop !== '\\') return { at, problem: `expected ${escaped(stop)} for this control character` }
    const end = endOf(escapes, text, at)
    if (end === at) return { at, problem: 'expected \\\\ for a backslash' }
    at = end
  }
}

/**
 * Returns true for what stands for itself in a text: no quote, no backslash, no control character.
 * @param {number} code NaN at the end
 */
const isPlain = (code) => code >= 0x20 && code !== 0x22 && code !== 0x5c

/** @param {string} control */
const escaped = (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * Returns the end of a number or a word, or its fault.
 * @param {string} text
 * @param {number} at
 * @returns {number | Place}
 */
function readScalar(text, at) {
  const end = endOf(word, text, at)
  const given = text.slice(at, end)
  if (words.includes(given) || (end > at && endOf(number, text, at) === end)) return end
  if (given === '') return { at, problem: `expected a value${text[at] === ']' ? ', or no comma before' : ''}` }
  if (given.startsWith("'")) return { at, problem: 'expected double quotes around a text' }
  const shown = given.length > 20 ? `${given.slice(0, 20)}…` : given
  return { at, problem: `expected a value: ${shown} is neither a number nor a text in double quotes` }
}
