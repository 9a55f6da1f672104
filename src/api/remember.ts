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

/** Undefined where it takes longer. */
export async function within<T>(ms: number, reading: Promise<T>): Promise<T | undefined> {
  const late = new AbortController()
  try {
    return await Promise.race([reading, sleep(ms, undefined, { signal: late.signal })])
  } finally {
    late.abort()
  }
}
