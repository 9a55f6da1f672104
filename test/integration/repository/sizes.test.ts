import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { expect, test } from 'vitest'

const root = new URL('../../../src/', import.meta.url)

const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.(ts|js|lua|css|html)$/.test(path))

/** A file that fits on a few screens holds one idea. */
const maxLines = 220

test(`no file of src has more than ${maxLines} lines`, () => {
  const lengths = paths.map((path) => [path, readFileSync(new URL(path, root), 'utf8').trimEnd().split('\n').length])
  expect(lengths.filter(([, lines]) => Number(lines) > maxLines)).toEqual([])
})

/** A folder with more files holds two ideas. */
const maxFiles = 16

test(`no folder of src has more than ${maxFiles} source files; a script and its wrapper count as one`, () => {
  const modules = Map.groupBy(new Set(paths.map((path) => path.replace(/\.(ts|lua|d\.ts)$/, ''))), posix.dirname)
  const counts = [...modules].map(([folder, files]) => [folder, files.length])
  expect(counts).toContainEqual(['ops/rights', 2])
  expect(counts.filter(([, files]) => Number(files) > maxFiles)).toEqual([])
})
