import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseAst } from 'vitest/node'
import { applied } from '../../../tools/mutation/change.ts'
import { changesOf, draw, sharesOf } from '../../../tools/mutation/draw.ts'
import { callsFor, recording } from '../../../tools/mutation/hits.ts'
import { reachOf } from '../../../tools/mutation/reach.ts'
import { reportOf } from '../../../tools/mutation/report.ts'

const root = new URL('../../../', import.meta.url)
const readAll = (pattern: string): Map<string, string> =>
  new Map(globSync(pattern, { cwd: root }).map((file) => [file, readFileSync(new URL(file, root), 'utf8')]))

const after = (file: string, text: string): string[] => changesOf(file, text).map((change) => applied(text, change))

test('changes of TypeScript are of the kinds that tests must see', () => {
  const changed = after('a.ts', 'const f = (a: number, b = 2): boolean => a < b && !g(a, b) && c.some(isOdd)\n')
  expect(changed).toEqual(
    expect.arrayContaining([
      expect.stringContaining('a <= b'),
      expect.stringContaining('b = 3'),
      expect.stringContaining('a < b || '),
      expect.stringContaining('&& g(a, b)'),
      expect.stringContaining('g(b, a)'),
      expect.stringContaining('c.every(isOdd)'),
    ]),
  )
  expect(after('a.ts', 'function f() {\n  if (a) return\n  b()\n  return c ?? 1\n}')).toEqual(
    expect.arrayContaining([
      expect.stringContaining('if (!(a)) return'),
      expect.stringContaining('if (a) {}'),
      expect.stringContaining('\n  {}\n'),
      expect.stringContaining('return c\n'),
    ]),
  )
})

test('changes of Lua are outside of comments, and leave the names of commands', () => {
  const changed = after(
    'a.lua',
    "-- if a < 1\nif a < 1 and not b then redis.call('HSET', 'f', '2') end\nredis.call('DEL', k)\n",
  )
  expect(changed.every((text) => text.startsWith('-- if a < 1\n'))).toBe(true)
  expect(changed.filter((text) => !text.includes("'HSET'"))).toEqual([expect.stringContaining('then  end')])
  expect(changed).toEqual(
    expect.arrayContaining([
      expect.stringContaining('if a <= 1 and not b'),
      expect.stringContaining('if a < 1 or not b'),
      expect.stringContaining('if not (a < 1 and not b) then'),
      expect.stringContaining("'f_'"),
      expect.stringContaining("'3'"),
      expect.stringContaining('end\n\n'),
    ]),
  )
})

test('each change of our code is on one line, differs, has an id of its own, and parses', () => {
  for (const [file, text] of readAll('src/stages/runner/trim.{ts,lua}')) {
    const lines = text.split('\n')
    const changes = changesOf(file, text)
    expect(changes.length, file).toBeGreaterThan(0)
    expect(new Set(changes.map(({ id }) => id)).size).toBe(changes.length)
    for (const change of changes) {
      const changed = applied(text, change)
      const differing = changed.split('\n').filter((line, at) => line !== lines[at])
      expect(differing.map((line) => line.trim())).toEqual([change.after])
      if (file.endsWith('.ts')) parseAst(changed, { lang: 'ts' })
    }
  }
})

test('the same seed draws the same changes, another one others, as many as asked for', () => {
  const files = readAll('src/stages/runner/*.{ts,lua}')
  const ids = (seed: number): string[] => draw(files, 40, seed).map(({ id }) => id)
  expect(ids(1)).toEqual(ids(1))
  expect(ids(1)).not.toEqual(ids(2))
  expect(ids(1)).toHaveLength(40)
  expect(sharesOf([10, 20, 3], 7)).toEqual([2, 4, 1])
})

test('tests reach what they import directly or through others, and a script through its wrapper', () => {
  const texts = new Map([
    ['src/a.ts', ''],
    ['src/b.ts', "import { a } from './a.ts'"],
    ['test/b.test.ts', "import { b } from '../src/b.ts'"],
    ['test/c.test.ts', "import { c } from '../src/c.ts'"],
  ])
  expect([...reachOf(texts, 'src/a.lua')]).toEqual([['test/b.test.ts', 2]])
})

test('code that records its calls still parses, and names the function around a change', () => {
  const text = 'const f = (a) => a + 1\nfunction g() {\n  return f(1)\n}\n'
  const calls = callsFor('a.ts', text, { file: 'a.ts', start: text.indexOf('f(1)') })
  expect(calls).toHaveLength(1)
  const code = recording('a.ts', text, '/tmp/hits')
  parseAst(code, { lang: 'ts' })
  expect(code).toContain(`function g() {mutationCalls[1] ??= globalThis.mutationHits.add('${calls[0]}');`)
  expect(callsFor('a.ts', text, { file: 'a.lua', start: 0 })).toHaveLength(2)
})

test('the figure counts what is caught of all but the accepted', () => {
  const changes = changesOf('a.ts', 'if (a < 1) b()\n').slice(0, 3)
  const [one, two, three] = changes
  if (!one || !two || !three) throw new Error('three changes expected')
  const results = {
    [one.id]: { outcome: 'caught', ms: 1 },
    [two.id]: { outcome: 'survived', ms: 1 },
    [three.id]: { outcome: 'survived', ms: 1 },
  } as const
  const { file, before, after } = two
  expect(reportOf(changes, results, []).percent).toBeCloseTo(33.3, 1)
  expect(reportOf(changes, results, [{ file, before, after, why: 'no effect' }]).percent).toBe(50)
})

test('a run that has judged no change fails, one whose survivors are all accepted does not', () => {
  const changes = changesOf('a.ts', 'if (a < 1) b()\n').slice(0, 1)
  const results = Object.fromEntries(changes.map(({ id }) => [id, { outcome: 'survived', ms: 1 } as const]))
  const accepted = changes.map(({ file, before, after }) => ({ file, before, after, why: 'no effect' }))
  expect(reportOf(changes, results, accepted).percent).toBe(100)
  expect(reportOf(changes, {}, accepted).percent).toBe(0)
  expect(reportOf([], {}, accepted).percent).toBe(0)
})
