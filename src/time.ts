/** The last one that a Date tells with four digits of the year: an id that no clock has made may be beyond. */
const lastMs = 253_402_300_799_999

/** ISO 8601. */
export const isoOf = (ms: number): string => new Date(Math.min(ms, lastMs)).toISOString()

/** A stream entry's id begins with when it was written, by Redis' clock. */
export const idMs = (id: string): number => Number(id.split('-')[0])

/** What Redis replies to TIME: seconds and microseconds. */
export const timeMs = ([seconds, micros]: readonly (string | number)[]): number =>
  Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
