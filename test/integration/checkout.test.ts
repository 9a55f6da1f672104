import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { removeOnExit } from '../support/on-exit.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' })

/** Skips a test in a folder that was unpacked from an archive: it has no index of git. */
function requireIndex(context: TestContext): void {
  if (!existsSync(join(root, '.git'))) context.skip('needs a git checkout')
}

test('every text file is kept with LF and is checked out with LF, whatever git is set to', (context) => {
  requireIndex(context)
  const lines = git('ls-files', '--eol').trim().split('\n')
  expect(lines.length).toBeGreaterThan(300)
  const text = lines.filter((line) => !/^i\/-text +w\/-text +attr\/-text +\t.*\.png$/.test(line))
  expect(text.filter((line) => !/^i\/(lf|none) +w\/\S+ +attr\/text=auto eol=lf *\t/.test(line))).toEqual([])
})

test('the file that the shell starts has a first line that it can read, also where git is set to write CRLF', (context) => {
  requireIndex(context)
  const folder = mkdtempSync(join(tmpdir(), 'orders-test-checkout-'))
  const removed = removeOnExit(folder)
  onTestFinished(() => removed[Symbol.dispose]())
  git('-c', 'core.autocrlf=true', 'checkout-index', `--prefix=${folder}/`, 'src/ops/orders.js')
  const file = join(folder, 'src/ops/orders.js')
  expect(readFileSync(file, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node')
  // Run by its own first line: the Node of this test comes first on the PATH.
  const PATH = `${join(process.execPath, '..')}:${process.env['PATH']}`
  const version = execFileSync(join(root, 'src/ops/orders.js'), ['--version'], { env: { PATH }, encoding: 'utf8' })
  expect(version).toBe(`${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`)
})
