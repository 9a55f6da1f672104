import type { App } from '../../app.ts'
import type { Queues } from '../../control/job-queues.ts'

/** A user to erase, and where. */
export interface Erasing {
  readonly app: App
  readonly queues: Queues
  readonly userId: string
  /** That of the archive, if there is one; `gone` where an operator says that the one that was kept is not there any more. */
  readonly archive?: Place | 'gone' | undefined
}

/** A record that names the user. */
export interface Found {
  /** Names it in its place, and names no user. */
  readonly record: string
  /** True for what names no user, but may before it ends: it is only waited for. */
  readonly isPassing?: true
  /** Returns false if it cannot be removed now: it must be looked for again. */
  remove(): Promise<boolean>
}

/** Finds the records of one place, each at least once. @param signal ends it */
export type Place = (erasing: Erasing, signal?: AbortSignal) => AsyncIterable<Found>
