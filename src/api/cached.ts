import { setTimeout as sleep } from 'node:timers/promises'

/** What was read, for so long; read by one at a time. Undefined where it could not be read. */
export function remember<T>(forMs: number, read: () => Promise<T>): () => Promise<T | undefined> {
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

/**
 * Reads for all who ask at once: whoever asks while one is being read gets the next one, which begins after that. So a
 * reading is never older than the request, and one is read at a time however many ask.
 * @param read of whatever it is asked of
 */
export function shared<A extends object, T>(read: (of: A) => Promise<T>): (of: A) => Promise<T> {
  const all = new WeakMap<A, { last: Promise<unknown>; next: Promise<T> | undefined }>()
  return (of) => {
    const state = all.get(of) ?? { last: Promise.resolve(), next: undefined }
    all.set(of, state)
    state.next ??= state.last.then(() => {
      state.last = Promise.allSettled([state.next])
      state.next = undefined
      return read(of)
    })
    return state.next
  }
}

/** Undefined where it takes longer. */
export async function within<T>(ms: number, reading: Promise<T>): Promise<T | undefined> {
  const late = new AbortController()
  try {
    return await Promise.race([reading, sleep(ms, undefined, { signal: late.signal })])
  } finally {
    late.abort()
  }
}
