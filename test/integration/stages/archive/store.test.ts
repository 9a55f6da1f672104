import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import type { ObjectStore } from '../../../../src/stages/archive/store/object-store.ts'
import { openStore, readObject } from '../../../../src/stages/archive/store/store.ts'
import { archiveFolder } from '../../../support/archive.ts'
import { createBucket, spawnS3Server } from '../../../support/s3-server.ts'

interface Opened extends AsyncDisposable {
  readonly store: ObjectStore
}

async function openFolder(): Promise<Opened> {
  await using stack = new AsyncDisposableStack()
  const { url } = stack.use(archiveFolder())
  const store = stack.use(await openStore(readConfig({ ARCHIVE_URL: url })))
  const open = stack.move()
  return { store, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

async function openBucket(prefix: string): Promise<Opened> {
  await using stack = new AsyncDisposableStack()
  const { url } = stack.use(await spawnS3Server())
  await createBucket(url, 'orders-archive')
  const config = readConfig({ ARCHIVE_URL: `s3://orders-archive${prefix}`, AWS_ENDPOINT_URL: url })
  const store = stack.use(await openStore(config))
  const open = stack.move()
  return { store, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

const stores: [string, () => Promise<Opened>][] = [
  ['a folder', openFolder],
  ['a bucket', () => openBucket('')],
  ['a prefix of a bucket', () => openBucket('/of/orders')],
]

async function namesIn(store: ObjectStore, prefix: string): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of store.list(prefix)) names.push(name)
  return names
}

test.each(stores)('%s gives back what it took, lists it, and forgets what was deleted', async (_title, open) => {
  await using opened = await open()
  const { store } = opened
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251))
  expect(await namesIn(store, '')).toEqual([])
  expect(await readObject(store, 'dt=2026-01-01/one')).toBeUndefined()
  await store.put('dt=2026-01-01/one', Buffer.from('first'))
  await store.put('dt=2026-01-01/one', bytes)
  await store.put('dt=2026-01-02/partition=3of8/two', Buffer.from('two'))
  await store.put('manifest/one', Buffer.from('one'))
  expect(await readObject(store, 'dt=2026-01-01/one')).toEqual(bytes)
  expect(await namesIn(store, 'dt=')).toEqual(['dt=2026-01-01/one', 'dt=2026-01-02/partition=3of8/two'])
  expect(await namesIn(store, 'dt=2026-01-02/partition=3of8/t')).toEqual(['dt=2026-01-02/partition=3of8/two'])
  await store.delete('dt=2026-01-01/one')
  await store.delete('dt=2026-01-01/one')
  expect(await namesIn(store, '')).toEqual(['dt=2026-01-02/partition=3of8/two', 'manifest/one'])
})

test('a folder lists what a killed process was writing, so that it is swept', async () => {
  using place = archiveFolder()
  using store = await openStore(readConfig({ ARCHIVE_URL: place.url }))
  await store.put('dt=2026-01-01/one', Buffer.from('one'))
  writeFileSync(join(place.folder, 'dt=2026-01-01', '.writing-0a1b'), 'o')
  expect(await namesIn(store, 'dt=')).toEqual(['dt=2026-01-01/.writing-0a1b', 'dt=2026-01-01/one'])
})

test('a bucket lists more objects than one page has', async () => {
  await using opened = await openBucket('/many')
  const { store } = opened
  const names = Array.from({ length: 1_005 }, (_, at) => `manifest/${String(at).padStart(5, '0')}`)
  for (let at = 0; at < names.length; at += 50)
    await Promise.all(names.slice(at, at + 50).map((name) => store.put(name, Buffer.from('x'))))
  expect(await namesIn(store, 'manifest/')).toEqual(names)
})

test('a store that is away says so with one code', async () => {
  const config = readConfig({ ARCHIVE_URL: 's3://orders-archive', AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })
  using store = await openStore(config)
  const code = { code: 'ORD_ARCHIVE' }
  await expect(store.put('a', Buffer.from('a'))).rejects.toMatchObject(code)
  await expect(store.get('a')).rejects.toMatchObject(code)
  await expect(namesIn(store, '')).rejects.toMatchObject(code)
})

test('an S3 that accepts a call and never answers is away', async () => {
  const held: Socket[] = []
  const silent = createServer((socket) => void held.push(socket)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const config = readConfig({ ARCHIVE_URL: 's3://orders-archive', AWS_ENDPOINT_URL: url })
  using store = await openStore(config, { attempts: 1, silentMs: 100 })
  await expect(store.put('a', Buffer.from('a'))).rejects.toMatchObject({ code: 'ORD_ARCHIVE' })
  await expect(namesIn(store, '')).rejects.toMatchObject({ code: 'ORD_ARCHIVE' })
  expect(held).toHaveLength(2)
  for (const socket of held) socket.destroy()
  silent.close()
}, 10_000)

test.each(['s3://Bucket', 's3://', 'file://host/x', 'https://bucket/x', 'orders', 's3://bucket/a b?x'])(
  'ARCHIVE_URL=%s is refused',
  (url) => {
    expect(() => readConfig({ ARCHIVE_URL: url })).toThrow(/ARCHIVE_URL/)
  },
)
