import { readArchiveUrl } from '../../../config/archive-url.ts'
import type { Config } from '../../../config/config.ts'
import { OrdersError } from '../../../errors.ts'

/** An object of the store. */
export interface Stored {
  /** Relative to the place of the archive, with `/` between its parts. */
  readonly name: string
  readonly bytes: number
  /** When it was written, by the clock of the store. */
  readonly modifiedMs: number
}

/** Keeps objects by name. Every call throws OrdersError ORD_ARCHIVE if the store does not do it. */
export interface Store {
  /** For people. */
  readonly place: string
  /** Writes an object, or replaces it, in one step. It is durable when this resolves. */
  put(name: string, body: Buffer, signal?: AbortSignal): Promise<void>
  /** Returns its bytes piece by piece; undefined if there is none. */
  get(name: string, signal?: AbortSignal): Promise<AsyncIterable<Buffer> | undefined>
  /** Returns undefined if there is none. */
  head(name: string): Promise<Stored | undefined>
  /** Yields all objects whose names begin so, in the order of their names within a folder. */
  list(prefix: string): AsyncIterable<Stored>
  /** Deletes an object; none is no fault. */
  delete(name: string): Promise<void>
  close(): void
}

type StoreConfig = Pick<
  Config,
  | 'archiveUrl'
  | 'awsEndpointUrl'
  | 'awsEndpointUrlS3'
  | 'awsRegion'
  | 'awsAccessKeyId'
  | 'awsSecretAccessKey'
  | 'awsSessionToken'
>

export type { StoreConfig }

/**
 * Opens the store of ARCHIVE_URL. Close it.
 * @throws OrdersError ORD_CONFIG where that is not set
 */
export async function openStore(config: StoreConfig): Promise<Store & Disposable> {
  const place = config.archiveUrl === undefined ? undefined : readArchiveUrl(config.archiveUrl)
  if (!place) throw new OrdersError('ORD_CONFIG', 'There is no archive: set ARCHIVE_URL for it.')
  const store = 'folder' in place ? await openFolder(place.folder) : await openBucket(config, place)
  return Object.assign(store, { [Symbol.dispose]: () => store.close() })
}

async function openFolder(folder: string): Promise<Store> {
  const { fileStore } = await import('./file.ts')
  return fileStore(folder)
}

async function openBucket(config: StoreConfig, place: { bucket: string; prefix: string }): Promise<Store> {
  const { s3Store } = await import('./s3.ts')
  return s3Store(config, place)
}

/** Reads a whole object; undefined if there is none. */
export async function readObject(store: Pick<Store, 'get'>, name: string): Promise<Buffer | undefined> {
  const found = await store.get(name)
  if (!found) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of found) chunks.push(chunk)
  return Buffer.concat(chunks)
}
