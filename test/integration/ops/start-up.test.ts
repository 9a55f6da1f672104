import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { loadedWith } from '../../support/imports.ts'

const root = new URL('../../../src/', import.meta.url)
const commands = readdirSync(new URL('ops/commands', root), { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ name: basename(path, '.ts'), path: `ops/commands/${path}` }))

/** Names the packages that are loaded together with a file. */
function packagesOf(path: string): string[] {
  const names = [...loadedWith(new URL(path, root)).values()].flat()
  return [...new Set(names.filter((name) => !name.startsWith('node:')))].sort()
}

test('orders --version loads no package', () => {
  expect(packagesOf('ops/main.ts')).toEqual([])
})

/** Packages that only a server, a worker or a queue needs. */
const heavy =
  /^(express|helmet|express-rate-limit|prom-client|zod-openapi|bullmq|pino|@bull-board|@opentelemetry|@aws-sdk)/

/** The client loads the second in any case. */
const sqs = ['@aws-sdk/client-sqs', '@aws-sdk/credential-provider-node']

/** The commands that need some of them. */
const needed: Readonly<Record<string, readonly string[]>> = {
  demo: sqs,
  populate: sqs,
  tail: sqs,
  repartition: ['bullmq'],
  replay: ['bullmq'],
  invalid: ['bullmq'],
  correct: ['bullmq'],
  erase: ['bullmq'],
  jobs: ['bullmq'],
  undo: ['bullmq'],
  redo: ['bullmq'],
  dlq: ['@aws-sdk/client-sqs', '@aws-sdk/credential-provider-node', 'bullmq'],
}

test.each(commands)('orders $name loads only the packages that it needs', ({ name, path }) => {
  const loaded = packagesOf(path).filter((from) => heavy.test(from))
  expect(loaded.filter((from) => !needed[name]?.includes(from))).toEqual([])
})

test('a process loads a role with what only that role needs', () => {
  expect(packagesOf('ops/process/roles.ts')).toEqual(['dinero.js/currencies', 'ioredis', 'zod'])
})
