import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { recording } from '../../../tools/mutation/hits.ts'
import type { Turn, TurnResult } from '../../../tools/mutation/worker.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Six test files, more than there are workers. */
const files = [...'abcdef'].map((name) => `${name}.test.ts`)

/** A folder of test files that call the same function, in shared workers as our unit tests, and what runs them. */
function openFolder(env: Readonly<Record<string, string>> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'orders-test-mutation-'))
  const write = (file: string, text: string): void => writeFileSync(join(dir, file), text)
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'junction')
  mkdirSync(join(dir, 'tools/mutation'), { recursive: true })
  cpSync(join(root, 'tools/mutation/record-hits.ts'), join(dir, 'tools/mutation/record-hits.ts'))
  write('vitest.config.js', 'export default { test: { projects: [{ test: { name: "unit", isolate: false } }] } }')
  write('package.json', '{ "type": "module" }')
  const one = 'export function one() { return 1 }'
  write('one.ts', one)
  const says =
    "import { expect, test } from 'vitest'\nimport { one } from './one.ts'\ntest('one', () => expect(one()).toBe(1))"
  for (const file of files) write(file, says)
  const child = fork(join(root, 'tools/mutation/worker.ts'), {
    cwd: dir,
    stdio: 'ignore',
    env: { ...process.env, ...env },
  })
  const run = async (turn: Turn): Promise<TurnResult> => {
    const answer = once(child, 'message')
    child.send(turn)
    return (await answer)[0]
  }
  return {
    ...{ dir, one, write, run },
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

test('a turn reports the failures of its own tests, not those of an earlier turn', async () => {
  await using folder = openFolder()
  const { one, write, run } = folder
  write('one.ts', one.replace('1', '2'))
  const changed = ['one.ts']
  expect((await run({ tests: ['a.test.ts'], changed, bail: true })).failed).toMatch(/^a\.test\.ts › one: expected 2/)
  write('one.ts', one)
  const { passed, failed } = await run({ tests: ['b.test.ts'], changed, bail: true })
  expect([Object.keys(passed), failed]).toEqual([['b.test.ts'], undefined])
})

test('each turn runs all its tests, though the one before ended at its first failure', async () => {
  await using folder = openFolder()
  const { one, write, run } = folder
  const changed = ['one.ts']
  for (let turn = 0; turn < 5; turn++) {
    write('one.ts', one.replace('1', '2'))
    expect((await run({ tests: files, changed, bail: true })).failed).toMatch(/one: expected 2/)
    write('one.ts', one)
    const { passed, failed } = await run({ tests: files, changed, bail: true })
    expect([Object.keys(passed).sort(), failed]).toEqual([files, undefined])
  }
})

test('each of the test files that share a worker records its own calls', async () => {
  const hits = join(mkdtempSync(join(tmpdir(), 'orders-test-hits-')), 'hits')
  await using folder = openFolder({ MUTATION_HITS: hits })
  folder.write('one.ts', recording('one.ts', folder.one, hits))
  await folder.run({ tests: files, changed: [], bail: false })
  const lines = readFileSync(hits, 'utf8').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line)[1])).toEqual(files.map(() => ['one.ts#0']))
})
