import { readArchiveUrl } from '../../../config/archive-url.ts'
import { OrdersError } from '../../../errors.ts'
import type { ObjectStore, StoreConfig, Trying } from './object-store.ts'

/**
 * Opens the store of ARCHIVE_URL. Close it.
 * @throws OrdersError ORD_CONFIG where that is not set
 */
export async function openStore(config: StoreConfig, trying?: Trying): Promise<ObjectStore & Disposable> {
  const place = config.archiveUrl === undefined ? undefined : readArchiveUrl(config.archiveUrl)
  if (!place) throw new OrdersError('ORD_CONFIG', 'There is no archive: set ARCHIVE_URL for it.')
  const store = 'folder' in place ? await openFolder(place.folder) : await openBucket(config, place, trying)
  return Object.assign(store, { [Symbol.dispose]: () => store.close() })
}

async function openFolder(folder: string): Promise<ObjectStore> {
  const { fileStore } = await import('./file.ts')
  return fileStore(folder)
}

async function openBucket(
  config: StoreConfig,
  place: { bucket: string; prefix: string },
  trying?: Trying,
): Promise<ObjectStore> {
  const { s3Store } = await import('./s3.ts')
  return s3Store(config, place, trying)
}

/** Reads a whole object; undefined if there is none. */
export async function readObject(store: Pick<ObjectStore, 'get'>, name: string): Promise<Buffer | undefined> {
  const found = await store.get(name)
  if (!found) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of found) chunks.push(chunk)
  return Buffer.concat(chunks)
}
