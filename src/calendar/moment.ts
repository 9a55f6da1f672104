/*
 * Instants as an operator writes them: RFC 3339, or hh:mm of today in the zone of the reports.
 */

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/
const timeOfDay = /^([01]?\d|2[0-3]):([0-5]\d)$/

/** Reads an instant, in ms. Returns undefined if the text has neither form, or no such time exists. */
export function readMoment(text: string, zone: string, nowMs: number): number | undefined {
  if (rfc3339.test(text)) {
    const ms = Date.parse(text.replace(' ', 'T').toUpperCase())
    return Number.isNaN(ms) ? undefined : ms
  }
  const [, hours, minutes] = timeOfDay.exec(text) ?? []
  if (hours === undefined || minutes === undefined) return undefined
  const day = localText(nowMs, zone).slice(0, 'yyyy-mm-dd'.length)
  return instantOf(`${day}T${hours.padStart(2, '0')}:${minutes}:00`, zone)
}

/** Writes an instant in full, with the offset of the zone: `2026-11-30T14:03:00+01:00`. */
export function momentText(ms: number, zone: string): string {
  const local = localText(ms, zone)
  const minutes = Math.round((Date.parse(`${local}Z`) - Math.floor(ms / 1_000) * 1_000) / 60_000)
  const fraction = ms % 1_000 === 0 ? '' : `.${String(ms % 1_000).padStart(3, '0')}`
  if (minutes === 0) return `${local}${fraction}Z`
  const two = (value: number): string => String(value).padStart(2, '0')
  const offset = `${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
  return `${local}${fraction}${minutes < 0 ? '-' : '+'}${offset}`
}

/**
 * Returns the instant of a local time. Of an hour that a zone has twice it takes the first; of one that it skips there is
 * none, and the instant is that much later.
 */
function instantOf(local: string, zone: string): number {
  const wanted = Date.parse(`${local}Z`)
  const guesses = [-26, 0, 26].map((hours) => wanted + hours * 3_600_000)
  const offsets = guesses.map((ms) => Date.parse(`${localText(ms, zone)}Z`) - ms)
  const found = offsets.map((offset) => wanted - offset)
  const exact = found.filter((ms) => Date.parse(`${localText(ms, zone)}Z`) === wanted)
  return exact.length > 0 ? Math.min(...exact) : Math.max(...found)
}

/** Writes the local time of an instant, without a zone: `2026-11-30T14:03:00`. */
function localText(ms: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en', {
    ...{ timeZone: zone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' },
  })
  const parts = format.formatToParts(ms)
  const of = (wanted: string): string => parts.find(({ type }) => type === wanted)?.value ?? ''
  return `${of('year').padStart(4, '0')}-${of('month')}-${of('day')}T${of('hour')}:${of('minute')}:${of('second')}`
}
