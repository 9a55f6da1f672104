import type { Write } from './lane.ts'

/** The messages of one receive, until they are deleted or released. */
export interface Held {
  entries: readonly HeldEntry[]
  /** Until when SQS hides them from other consumers, by performance.now(). */
  hiddenUntil: number
  writes: readonly Write[]
  writtenAt: number
}

export interface HeldEntry {
  readonly Id: string
  readonly ReceiptHandle: string | undefined
}

/** Such calls take milliseconds. One on a dead connection must not outlast the shortest visibility timeout, 5 s. */
export const callMs = 2_000
