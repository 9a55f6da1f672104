import { expect, test } from 'vitest'
import { blocksOf, examplesOf } from '../../support/pages/blocks.ts'
import { isAsShown } from '../../support/pages/compare.ts'
import { asPowerShell, simpleCommands } from '../../support/pages/shell.ts'

const page = `
1. In a list:

   \`\`\`sh exit code 1
   # a comment
   npx orders populate --valid 5
   curl -X PUT localhost:8000/x \\
     -d '{"a":1}' # a comment
   \`\`\`

   \`\`\`json
   {"a":1}
   \`\`\`

\`\`\`console
$ npx orders top
user  spend
$ npx orders status
\`\`\`
`

test('the output that follows a block is that of its last line; a transcript has that of each line', () => {
  expect(examplesOf(blocksOf('p.md', page))).toEqual([
    { at: 'p.md:4', line: 'npx orders populate --valid 5', exitCode: 0 },
    {
      at: 'p.md:4',
      line: `curl -X PUT localhost:8000/x -d '{"a":1}' # a comment`,
      exitCode: 1,
      expected: expect.objectContaining({ language: 'json', text: '{"a":1}\n' }),
    },
    { at: 'p.md:15', line: 'npx orders top', exitCode: 0, expected: { language: 'text', text: 'user  spend\n' } },
    { at: 'p.md:15', line: 'npx orders status', exitCode: 0, expected: { language: 'text', text: '' } },
  ])
})

test('a line is divided into commands and words as a shell does', () => {
  expect(simpleCommands(`A=1 B='2 3' npx orders pause x --reason "a \\"b\\" c" && npm start # why`)).toEqual([
    expect.objectContaining({
      env: { A: '1', B: '2 3' },
      words: ['npx', 'orders', 'pause', 'x', '--reason', 'a "b" c'],
      needsShell: false,
    }),
    expect.objectContaining({ env: {}, words: ['npm', 'start'], source: 'npm start' }),
  ])
  expect(simpleCommands('curl "$URL/x" | grep y')).toMatchObject([{ needsShell: true }])
})

test('PowerShell sets variables first, and has another curl', () => {
  expect(asPowerShell('A=1 B="x y" npm start')).toBe(`$env:A='1'; $env:B="x y"; npm start`)
  expect(asPowerShell(`export A=1\ncurl \\\n  -d '$A' "$A"`)).toBe(`$env:A='1'\ncurl.exe \`\n  -d '$A' "$env:A"`)
  expect(asPowerShell("curl a | grep '^b'")).toBe("curl.exe a | Select-String '^b'")
})

test.each([
  ['At 2026-01-01T00:00:00.000Z entry 1795879116863-0', 'At 2026-11-28T15:18:36.863Z entry 1895879116863-12', true],
  ['a\n…\nd', 'a\nb\nc\nd\n', true],
  ['a\n…', 'a\nb\n', true],
  ['a … d', 'a b c d', true],
  ['1 order', '2 orders', false],
  ['1 order', '2 order', false],
  ['a\nb', 'a\nb\nc', false],
  ['a\n…\nd', 'a\nd\ne', false],
])('a shown text %j is compared with %j: %s', (shown, printed, same) => {
  expect(isAsShown({ language: 'text', text: shown }, printed)).toBe(same)
})

test.each([
  ['{"a":1,"b":[1,2]}', '{ "b": [1, 2], "a": 1 }', true],
  ['{\n  "a": 1,\n  …\n}', '{"a":1,"b":2}', true],
  ['[\n  1,\n  …\n]', '[1,2,3]', true],
  ['{"a": …}', '{"a":{"b":1}}', true],
  ['{"a":1}', '{"a":1,"b":2}', false],
  ['{"a":1}', '{"a":2}', false],
  ['{"a":1}', '{"a":"1"}', false],
  ['[1]', '[1,2]', false],
  ['{\n  "a": { "b": 1 },\n  …\n}', '{"a":{"b":1,"c":2}}', false],
])('shown JSON %j is compared with %j: %s', (shown, printed, same) => {
  expect(isAsShown({ language: 'json', text: shown }, printed)).toBe(same)
})

test('where numbers vary, the words must still be the same', () => {
  const shown = { language: 'text', info: 'numbers vary', text: '1. user_1  35,901.31' } as const
  expect(isAsShown(shown, '1. user_12    9.50')).toBe(true)
  expect(isAsShown(shown, '1. order_1  35,901.31')).toBe(false)
})
