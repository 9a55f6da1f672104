import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { fileStore } from '../../../../src/stages/archive/store/file.ts'
import { archiveFolder } from '../../../support/archive.ts'

const synced = vi.hoisted((): string[] => [])

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const open: typeof original.open = async (path, ...more) => {
    const file = await original.open(path, ...more)
    const sync = file.sync.bind(file)
    file.sync = async () => {
      await sync()
      synced.push(String(path))
    }
    return file
  }
  return { ...original, open }
})

test('with an object, each folder above it is durable, also those that another call has just made', async () => {
  using place = archiveFolder()
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
