/** Spreads messages over time: `rate` a second at most, from the first one on. */
export interface Pace {
  /** How many may be sent together. */
  readonly batch: number
  /** Returns in how many ms the next ones are due. */
  dueMs(): number
  sent(messages: number): void
}

/** Messages of one write, as those of the bridge. */
const maxBatch = 100
/** With a rate, batches are so small that four are sent in a second. */
const batchesPerSecond = 4

/** @param now a clock in milliseconds */
export function openPace(rate: number | undefined, now = () => performance.now()): Pace {
  if (rate === undefined) return { batch: maxBatch, dueMs: () => 0, sent: () => {} }
  const batch = Math.max(1, Math.min(maxBatch, Math.floor(rate / batchesPerSecond)))
  let dueAt = now()
  return {
    batch,
    dueMs: () => Math.max(0, dueAt - now()),
    sent: (messages) => {
      dueAt = Math.max(dueAt, now() - 1_000 / batchesPerSecond) + (messages / rate) * 1_000
    },
  }
}
