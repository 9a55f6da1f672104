/** The last one that a Date tells with four digits of the year: an id that no clock has made may be beyond. */
const lastMs = 253_402_300_799_999

/** ISO 8601. */
export const isoOf = (ms: number): string => new Date(Math.min(ms, lastMs)).toISOString()

/** A stream entry's id begins with when it was written, by Redis' clock. */
export const idMs = (id: string): number => Number(id.split('-')[0])

/**
 * Returns what XREVRANGE takes as the end of entries older than this one, `+` where there is no such one. Undefined where
 * nothing can be older: Redis refuses `(0-0`.
 */
export function olderThan(id: string | undefined): string | undefined {
  if (id === undefined) return '+'
  return compareIds(id, '0-0') === 0 ? undefined : `(${id}`
}

/** What Redis replies to TIME: seconds and microseconds. */
export const timeMs = ([seconds, micros]: readonly (string | number)[]): number =>
  Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)

/** By the order in which entries were added, as for sort(). */
export function compareIds(one: string, other: string): number {
  const [[ms = 0, at = 0], [otherMs = 0, otherAt = 0]] = [one.split('-').map(Number), other.split('-').map(Number)]
  return ms - otherMs || at - otherAt
}
