import type { ValidRecord } from '../../messages.ts'

/** A record of the archive: an order or a correction that was admitted, and its place on `orders:valid`. */
export type ArchivedRecord = ValidRecord & {
  /** Of its entry: its first part is the time of its admission, by Redis' clock. */
  readonly entry: string
  /** When it was sent to SQS, in ms. */
  readonly sent: number
  readonly body?: string | undefined
}

/** The archive as an undo reads it. */
export interface ArchiveReader {
  /** Ends when all that was admitted when it began is in the archive. */
  flush(signal: AbortSignal): Promise<void>
  /** Reads the records admitted from one time, in ms, to another, in any order. Without `toMs` to the end. */
  read(fromMs: number, toMs: number | undefined, signal: AbortSignal): AsyncIterable<ArchivedRecord>
}
