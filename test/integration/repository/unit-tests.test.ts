import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadedWith } from '../../support/imports.ts'

const root = new URL('../../', import.meta.url)
const files = readdirSync(new URL('unit', root), { recursive: true, encoding: 'utf8' })
  .map((path) => `unit/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.test.ts'))

/** Clients, servers and workers: a pure function next to one of them belongs in another file, or its test in another tier. */
const heavy =
  /^(express|helmet|prom-client|bullmq|ioredis|undici|sqs-consumer|fauxqs|js-redis-server|testcontainers|@bull-board|@opentelemetry|@aws-sdk)/

test('no unit test loads a client, a server or a worker', () => {
  const loads = files.flatMap((file) =>
    [...loadedWith(new URL(file, root)).values()]
      .flat()
      .flatMap((name) => (heavy.test(name) ? [`${file}: ${name}`] : [])),
  )
  expect(files).toContain('unit/order/money.test.ts')
  expect(loads).toEqual([])
})

/** Modules of Node by which a test reaches files, the network or processes. */
const io = /^node:(fs|net|tls|http|https|http2|dns|dgram|child_process|cluster|worker_threads)(\/|$)/

test('no unit test does I/O, but for the table of bodies', () => {
  const reached = files.flatMap((file) =>
    [...loadedWith(new URL(file, root))].flatMap(([loaded, names]) =>
      loaded.startsWith(root.href) && names.some((name) => io.test(name)) ? [loaded.slice(root.href.length)] : [],
    ),
  )
  expect([...new Set(reached)]).toEqual(['support/cases.ts'])
})
