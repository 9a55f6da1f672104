import type { Config } from '../../../config/config.ts'

/** An object of the store. */
export interface Stored {
  /** Relative to the place of the archive, with `/` between its parts. */
  readonly name: string
  readonly bytes: number
  /** When it was written, by the clock of the store. */
  readonly modifiedMs: number
}

/** Keeps objects by name. Every call throws OrdersError ORD_ARCHIVE if the store does not do it. */
export interface ObjectStore {
  /** For people. */
  readonly place: string
  /** Writes an object, or replaces it, in one step. It is durable when this resolves. */
  put(name: string, body: Buffer, signal?: AbortSignal): Promise<void>
  /** Returns its bytes piece by piece; undefined if there is none. */
  get(name: string, signal?: AbortSignal): Promise<AsyncIterable<Buffer> | undefined>
  /** Yields all objects whose names begin so, in the order of their names within a folder. */
  list(prefix: string): AsyncIterable<Stored>
  /** Deletes an object; none is no fault. */
  delete(name: string): Promise<void>
  close(): void
}

/** How a bucket is asked. A folder answers or fails at once. */
export interface Trying {
  /** How often a call is tried. */
  readonly attempts?: number
  /** A try ends when nothing has moved for so long. */
  readonly silentMs?: number
}

/** The variables that say where the store is. */
export type StoreConfig = Pick<
  Config,
  | 'archiveUrl'
  | 'awsEndpointUrl'
  | 'awsEndpointUrlS3'
  | 'awsRegion'
  | 'awsAccessKeyId'
  | 'awsSecretAccessKey'
  | 'awsSessionToken'
>
