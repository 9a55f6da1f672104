/** The name of a zone that every runtime knows. */
export const utc = 'UTC'

/**
 * Returns the IANA name of a zone as this runtime spells it; undefined if it knows none of that name. An offset such as
 * `+01:00` is none: it has no summer time.
 */
export function zoneName(text: string): string | undefined {
  if (!/^[A-Za-z]/.test(text)) return undefined
  if (text.toUpperCase() === utc) return utc
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

/** Every zone changes its day, and its offset, at a whole quarter of an hour: UTC+05:45 is in use, and no finer one. */
export const stepMs = 15 * 60_000
/** The quarters of an hour of a year. Orders have times of some weeks; the times of others must not fill the memory. */
const maxSteps = 36_000

/**
 * Returns a function from an instant to its day in a zone: `2026-11-25`. The instant is in ms, from year 1 to 9999. Most
 * calls take a look into a map: Intl alone takes 40 times as long (bench/calendar.ts).
 */
export function dayIn(zone: string): (ms: number) => string {
  const days = new Map<number, string>()
  const dayOf = zone === utc ? dayInUtc : dayByIntl(zone)
  return (ms) => {
    const step = Math.floor(ms / stepMs)
    const known = days.get(step)
    if (known !== undefined) return known
    const day = dayOf(step * stepMs)
    if (days.size >= maxSteps) days.clear()
    days.set(step, day)
    return day
  }
}

/** Needs no Intl, which takes a tenth of the processor time of a start to load. */
const dayInUtc = (ms: number): string => new Date(ms).toISOString().slice(0, 'yyyy-mm-dd'.length)

function dayByIntl(zone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('en', {
    ...{ timeZone: zone, calendar: 'gregory', numberingSystem: 'latn', era: 'short' },
    ...{ year: 'numeric', month: '2-digit', day: '2-digit' },
  })
  return (ms) => {
    const parts = format.formatToParts(ms)
    const of = (wanted: string): string => parts.find(({ type }) => type === wanted)?.value ?? ''
    return `${of('year').padStart(4, '0')}-${of('month')}-${of('day')}`
  }
}
