import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { table } from '../../../../src/ops/commands/inspect/status.ts'
import { jsonLine, printable } from '../../../../src/ops/terminal/printable.ts'

const src = join(import.meta.dirname, '../../../../src')

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

/** Texts of which many characters steer. */
const hostile = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
    fc.constantFrom('\u200d', '\u202e', '\u2028', '\ufeff', '\u{e0001}', '🙂', '\ufe0f'),
  ),
})

test('whatever is printed, nothing of it steers', () => {
  fc.assert(
    fc.property(hostile, (text) => !/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff]/u.test(printable(text))),
  )
})

test('whatever is printed as JSON is read as it was, and nothing of it steers', () => {
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

describe('the one way to a terminal', () => {
  /** They write what is not text of others: the log (escaped where it is opened), and bars. */
  const own = ['ops/terminal/output.ts', 'ops/open/log.ts', 'ops/terminal/progress.ts', 'ops/orders.js']
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|js)$/.test(file) && !file.startsWith('api/public/') && !own.includes(file))
    .map((file) => ({ file, text: readFileSync(join(src, file), 'utf8') }))

  test('is print, and printError: nothing else writes to standard output or error', () => {
    const writes = /process\.(stdout|stderr)\.write|writeSync\(|console\./
    expect(files.filter(({ text }) => writes.test(text)).map(({ file }) => file)).toEqual([])
  })

  test('is jsonLine for what is printed as JSON', () => {
    const bare = files.filter(({ text }) =>
      /print\([^\n]*JSON\.stringify|json \? JSON\.stringify|if \(json\).*JSON\.stringify/.test(text),
    )
    expect(bare.map(({ file }) => file)).toEqual([])
  })
})
