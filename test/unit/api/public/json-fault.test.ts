import fc from 'fast-check'
import { expect, test } from 'vitest'

interface Fault {
  readonly at: number
  readonly line: number
  readonly column: number
  readonly problem: string
}

const { jsonFault, faultText } = (await import(
  new URL('../../../../src/api/public/lib/json-fault.js', import.meta.url).href
)) as { jsonFault(text: string): Fault | undefined; faultText(fault: Fault): string }

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The text with ¦ where the caret is put, and the message. */
function shown(text: string): string[] {
  const fault = jsonFault(text)
  return fault ? [`${text.slice(0, fault.at)}¦${text.slice(fault.at)}`, faultText(fault)] : []
}

test.each([
  ['{"a": 1\n "b": 2}', '{"a": 1¦\n "b": 2}', 'Line 1, column 8: expected a comma.'],
  ['{\n  "a": 1,\n  "b": true "c"\n}', '{\n  "a": 1,\n  "b": true¦ "c"\n}', 'Line 3, column 12: expected a comma.'],
  ['[1 2]', '[1¦ 2]', 'Line 1, column 3: expected a comma.'],
  ['{"a" 1}', '{"a"¦ 1}', 'Line 1, column 5: expected a colon.'],
  ['{"a"', '{"a"¦', 'Line 1, column 5: expected a colon.'],
  ['{"a":1', '{"a":1¦', 'Line 1, column 7: expected } at the end.'],
  ['{"a":[1', '{"a":[1¦', 'Line 1, column 8: expected ] at the end.'],
  ['{"a":[1}', '{"a":[1¦}', 'Line 1, column 8: expected ] or a comma.'],
  ['{"a":1,}', '{"a":1,¦}', 'Line 1, column 8: expected a name, or no comma before.'],
  ['[1,]', '[1,¦]', 'Line 1, column 4: expected a value, or no comma before.'],
  ['{"a":}', '{"a":¦}', 'Line 1, column 6: expected a value.'],
  ['{a:1}', '{¦a:1}', 'Line 1, column 2: expected a name in double quotes.'],
  ["{'a':1}", "{¦'a':1}", 'Line 1, column 2: expected a name in double quotes.'],
  ['{"a":\'b\'}', '{"a":¦\'b\'}', 'Line 1, column 6: expected double quotes around a text.'],
  ['{"a":12,5e,"b":1}', '{"a":12,¦5e,"b":1}', 'Line 1, column 9: expected a name in double quotes.'],
  ['{"a":01}', '{"a":¦01}', 'Line 1, column 6: expected a value: 01 is neither a number nor a text in double quotes.'],
  ['{"a":"b\n}', '{"a":"b¦\n}', 'Line 1, column 8: expected a closing quote before the end of the line.'],
  ['{"a":"b', '{"a":¦"b', 'Line 1, column 6: expected a closing quote for this text.'],
  ['{"a":"😀\\d"}', '{"a":"😀¦\\d"}', 'Line 1, column 8: expected \\\\ for a backslash.'],
  ['"\t"', '"¦\t"', 'Line 1, column 2: expected \\u0009 for this control character.'],
  ['{} {}', '{} ¦{}', 'Line 1, column 4: expected nothing more after the end of the order.'],
  ['', '¦', 'Line 1, column 1: expected an order.'],
  ['{"a":', '{"a":¦', 'Line 1, column 6: expected a value.'],
])('%j: the caret and the message', (text, caret, message) => {
  expect(shown(text)).toEqual([caret, message])
})

test('it finds a fault where JSON.parse throws, and nowhere else', () => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '1',
      '-1.5e3',
      '01',
      '.',
      'true',
      'null',
      'tru',
      ' ',
      '\n',
      '\\',
      '\\n',
    ],
    ...['\\u12', '\t', '\u0001', "'", '\u00a0', '\ufeff', '😀', '-', '+1', 'NaN'],
  )
  const assembled = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.nat({ max: 2 }), fc.constantFrom('', ',', '"', '}', '1', '\n', '\\'))
    .map(([json, at, removed, added]) => {
      const from = at % (json.length + 1)
      return `${json.slice(0, from)}${added}${json.slice(from + removed)}`
    })
  fc.assert(
    fc.property(fc.oneof(assembled, damaged), (text) => {
      const fault = jsonFault(text)
      expect([text, fault === undefined]).toEqual([text, isJson(text)])
      if (fault) expect(fault.at).toBeLessThanOrEqual(text.length)
    }),
    { numRuns: 3_000 },
  )
})

test('a hostile text is read too: a hundred thousand deep, or one text of a megabyte', () => {
  const deep = '['.repeat(100_000)
  expect(jsonFault(deep)?.at).toBe(deep.length)
  expect(jsonFault(`${deep}${']'.repeat(100_000)}`)).toBeUndefined()
  const long = JSON.stringify({ a: 'x"\\'.repeat(300_000) })
  expect(jsonFault(long)).toBeUndefined()
  expect(jsonFault(long.slice(0, -1))?.at).toBe(long.length - 1)
})
