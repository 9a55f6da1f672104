/*
 * The ids of stream entries are `<ms>-<sequence>`, both of 64 bits, so they are compared as bigints. Scripts follow the same
 * rules by stream-id.lua.
 */

/** No entry has this id: it comes before all. */
export const minId = '0-0'
export const maxId = '18446744073709551615-18446744073709551615'
const max64 = 2n ** 64n - 1n

/**
 * The last ms of the year 8999. An id that no clock has made may lie beyond. From here CALENDAR_KEEP reaches 833 years at
 * most, so every day that follows from a time has a year of four digits, in each zone.
 */
export const lastMs = Date.UTC(9000, 0, 1) - 1

/** Returns the nearest time that every zone can place. */
export const boundMs = (ms: number): number => Math.min(Math.max(ms, 0), lastMs)

/** Returns the time as ISO 8601. */
export const isoOf = (ms: number): string => new Date(Math.min(ms, lastMs)).toISOString()

/** Returns when an entry was written, in ms by Redis' clock: its id begins with it. */
export const idMs = (id: string): number => boundMs(Number(id.split('-')[0]))

/** Converts a reply to TIME (seconds, microseconds) to ms. */
export const timeMs = ([seconds, micros]: readonly (string | number)[]): number =>
  Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)

/** Returns both numbers of an id; an id without a sequence has 0. Text that is no id is taken for `minId`. */
export function parseId(id: string): { readonly ms: bigint; readonly sequence: bigint } {
  const [, ms = '0', sequence = '0'] = /^(\d+)(?:-(\d+))?$/.exec(id) ?? []
  return { ms: BigInt(ms), sequence: BigInt(sequence) }
}

/** Compares by the order in which entries were added, as sort() expects. */
export function compareIds(one: string, other: string): number {
  const [a, b] = [parseId(one), parseId(other)]
  return Number(a.ms - b.ms) || Number(a.sequence - b.sequence)
}

/** Returns the smallest id after this one; `maxId` has none, and is returned itself. */
export function nextId(id: string): string {
  const { ms, sequence } = parseId(id)
  if (sequence < max64) return `${ms}-${sequence + 1n}`
  return ms < max64 ? `${ms + 1n}-0` : maxId
}

/** Returns the id of the oldest of some entries. */
export const oldestId = (ids: readonly string[]): string | undefined => ids.toSorted(compareIds)[0]

/** Returns the id of the newest of some entries. */
export const newestId = (ids: readonly string[]): string | undefined => ids.toSorted(compareIds).at(-1)

/**
 * Returns the end of an XREVRANGE of entries older than this one, `+` if none is given. Undefined if no entry can be older:
 * Redis refuses `(0-0`.
 */
export function olderThan(id: string | undefined): string | undefined {
  if (id === undefined) return '+'
  return compareIds(id, minId) === 0 ? undefined : `(${id}`
}

/**
 * Returns an id as text that sorts like ids do, to bound a range: 13 digits of ms, as a clock makes them, and 10 of sequence.
 * An id from a request may have more: then it is the greatest text. So is `+`.
 */
export function sortableId(id: string): string {
  const { ms, sequence } = parseId(id === '+' ? maxId : id)
  return `${digits(ms, 13)}-${digits(sequence, 10)}`
}

function digits(value: bigint, count: number): string {
  const text = String(value)
  return text.length > count ? '9'.repeat(count) : text.padStart(count, '0')
}

/** Returns the id in a sortable text. */
export function idOfSortable(text: string): string {
  const { ms, sequence } = parseId(text)
  return `${ms}-${sequence}`
}
