import { readlinkSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { fileStore } from '../../../../src/stages/archive/store/file.ts'
import { archiveFolder } from '../../../support/archive.ts'
import { requirePart } from '../../../support/requires.ts'

const synced: string[] = []

/** Records the paths of all that is synced until the test ends. */
async function recordSyncs(folder: string): Promise<void> {
  await using file = await open(folder)
  const prototype: FileHandle = Object.getPrototypeOf(file)
  const { sync } = prototype
  vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    synced.push(readlinkSync(`/proc/self/fd/${this.fd}`))
    await sync.call(this)
  })
}

test('with an object, each folder above it is durable, also those that another call has just made', async (context) => {
  requirePart(context, process.platform === 'linux', 'Linux, which names the files of a process')
  using place = archiveFolder()
  await recordSyncs(place.folder)
  using _ = { [Symbol.dispose]: () => vi.restoreAllMocks() }
  const root = join(place.folder, 'new', 'root')
  const store = fileStore(`${root}/`)
  const foldersSynced = async (name: string): Promise<string[]> => {
    synced.length = 0
    await store.put(name, Buffer.from('text'))
    return synced.filter((path) => !path.includes('.writing-'))
  }
  const inside = [join(root, 'dt=1', 'partition=none'), join(root, 'dt=1'), root]
  const above = [dirname(root), place.folder]
  expect(await foldersSynced('dt=1/partition=none/one')).toEqual([...inside, ...above])
  expect(await foldersSynced('dt=1/partition=none/two')).toEqual(inside)
})

test.runIf(process.platform === 'linux')('a folder that cannot be made is an error, and no endless loop', async () => {
  const store = fileStore('/proc/nope/archive')
  await expect(store.put('a', Buffer.from('x'))).rejects.toThrow('a cannot be written: ENOENT')
})
