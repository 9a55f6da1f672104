import { setTimeout as sleep } from 'node:timers/promises'

/** Returns a reader that reads again at most every `forMs`, one reading at a time. It returns undefined after a failure. */
export function cached<T>(forMs: number, read: () => Promise<T>): () => Promise<T | undefined> {
  let until = Number.NEGATIVE_INFINITY
  let value: Promise<T | undefined> = Promise.resolve(undefined)
  return () => {
    if (performance.now() < until) return value
    until = Number.POSITIVE_INFINITY
    value = read()
      .catch(() => undefined)
      .finally(() => {
        until = performance.now() + forMs
      })
    return value
  }
}

/** Runs a read once for all who call while it waits to begin; `read` must be the same function at each call. */
export type Share<C> = <T>(read: (context: C) => Promise<T>) => Promise<T>

/**
 * Opens a sharer of reads of one context. A call during a reading gets the next one, which begins when that one ends.
 * So a result is never older than the call, and each read runs once at a time, however many clients ask.
 */
export function openShare<C>(contextOf: () => C): Share<C> {
  const queues = new Map<object, { last: Promise<unknown>; next: Promise<unknown> | undefined }>()
  return <T>(read: (context: C) => Promise<T>) => {
    const queue = queues.get(read) ?? { last: Promise.resolve(), next: undefined }
    queues.set(read, queue)
    queue.next ??= queue.last.then(() => {
      queue.last = Promise.allSettled([queue.next])
      queue.next = undefined
      return read(contextOf())
    })
    return queue.next as Promise<T>
  }
}

/** Returns undefined if the reading takes longer. */
export async function withTimeout<T>(ms: number, reading: Promise<T>): Promise<T | undefined> {
  const late = new AbortController()
  try {
    return await Promise.race([reading, sleep(ms, undefined, { signal: late.signal })])
  } finally {
    late.abort()
  }
}

/** Enough for a reading that works again, and little to wait for one that does not. */
const briefMs = 100

/**
 * Returns a reader that waits at most `ms`, and after a reading that failed or was late only briefly, until one succeeds. So
 * in an outage only the first call waits. It returns undefined if there is no value by then.
 */
export function patient<T>(ms: number, read: () => Promise<T | undefined>): () => Promise<T | undefined> {
  let isLate = false
  const note = (value: T | undefined): T | undefined => {
    isLate = value === undefined
    return value
  }
  return async () => note(await withTimeout(isLate ? Math.min(briefMs, ms) : ms, read().then(note)))
}
