import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonLine, printable, printableId } from '../../../../src/ops/terminal/printable.ts'
import { table } from '../../../../src/ops/terminal/table.ts'

describe('printable', () => {
  test.each([
    ['a C0 control', '\u001b[2J', '\\u{1b}[2J'],
    ['a new line', 'a\r\nb', 'a\\u{d}\\u{a}b'],
    ['a C1 control', '\u009b31m', '\\u{9b}31m'],
    ['a delete', 'a\u007f', 'a\\u{7f}'],
    ['a bidi override', '\u202eevil\u202c', '\\u{202e}evil\\u{202c}'],
    ['a bidi isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['a zero-width space', 'a\u200bb', 'a\\u{200b}b'],
    ['a joiner between letters', 'a\u200db', 'a\\u{200d}b'],
    ['a byte order mark', '\ufeffa', '\\u{feff}a'],
    ['a separator of lines', 'a\u2028b', 'a\\u{2028}b'],
    ['a filler that is drawn as nothing', 'a\u3164', 'a\\u{3164}'],
    ['a variation selector of no emoji', 'a\ufe0f', 'a\\u{fe0f}'],
    ['a tag', 'a\u{e0041}', 'a\\u{e0041}'],
    ['half of a surrogate pair', 'a\ud83d', 'a\ufffd'],
  ])('%s is shown as its number', (_, text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test.each(['', 'plain', 'Zoë', 'שלום', 'नमस्ते', '日本', '🙂', '👩‍💻', '👩🏽‍🚀', '❤️', '🏳️‍🌈', '1️⃣', '\\u{1b}'])(
    '%j stays as it is',
    (text) => {
      expect(printable(text)).toBe(text)
    },
  )
})

describe('printableId', () => {
  test.each([
    ['only blanks', '  ', '\\u{20}\\u{20}'],
    ['a blank at an end', ' bob  ', '\\u{20}bob\\u{20}\\u{20}'],
    ['a blank that does not break', 'a\u00a0b', 'a\\u{a0}b'],
    ['an empty Braille pattern', '\u2800', '\\u{2800}'],
    ['a bidi override', '\u202eevil user', '\\u{202e}evil user'],
    ['half of a surrogate pair', '\ud83d', '\ufffd'],
  ])('%s is shown as its number', (_, id, shown) => {
    expect(printableId(id)).toBe(shown)
  })

  test.each(['user_7', 'Ann Lee', 'مستخدم', '👩‍💻'])('%j stays as it is', (id) => {
    expect(printableId(id)).toBe(id)
  })
})

/** Texts of which many characters control. */
const hostile = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
    fc.constantFrom('\u200d', '\u202e', '\u2028', '\ufeff', '\u{e0001}', '🙂', '\ufe0f'),
  ),
})

test('whatever is printed, nothing of it controls', () => {
  fc.assert(
    fc.property(hostile, (text) => !/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff]/u.test(printable(text))),
  )
})

test('whatever is printed as JSON is read as it was, and nothing of it controls', () => {
  fc.assert(
    fc.property(fc.dictionary(hostile, hostile), (value) => {
      const line = jsonLine(value)
      expect(printable(line)).toBe(line)
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('a table is as wide as what is shown of its cells', () => {
  expect(
    table([
      ['\u001bx', '1'],
      ['y', '22'],
    ]),
  ).toEqual(['\\u{1b}x   1', 'y        22'])
})
