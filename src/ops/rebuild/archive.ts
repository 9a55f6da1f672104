import type { CarriedName } from '../../carried.ts'
import type { ValidRecord } from '../../messages.ts'

/** A record of the archive: what passed the first stage, and where and when. */
export type PastRecord = ValidRecord & {
  /** The id of its entry on the stream of admitted orders. */
  readonly entry: string
  /** When it was sent to SQS, in ms. */
  readonly sent: number
  readonly body?: string | undefined
} & { readonly [name in Exclude<CarriedName, 'body'>]?: unknown }

/** A line of the manifest. */
export interface ArchiveStep {
  readonly chain: string
  /** Its number in the chain. */
  readonly seq: number
  /** Absent if the line has none that count. */
  readonly records?: AsyncIterable<PastRecord>
}

/** A line of the manifest that says that records of a user were taken out. */
export interface ArchivedErasure {
  /** The hash of the user. */
  readonly user: string | undefined
  readonly at: string
}

/** An archive, as a rebuild reads it. */
export interface Archive {
  /** Names the archive: what was built from another one does not count. */
  readonly name: string
  /**
   * Returns each removal of a user's records. What was built before one does not count either. Those that Redis has lost since
   * are among them: the user stays erased.
   */
  erasures(): Promise<readonly ArchivedErasure[]>
  /** Yields the lines of each chain in order, from the one after a number. @param after 0 for a chain that was not read */
  steps(after: (chain: string) => number): AsyncIterable<ArchiveStep>
}
