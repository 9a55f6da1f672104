import fc from 'fast-check'

const dayMs = 86_400_000
const minuteMs = 60_000

/** The zones that the tests report in. */
export const zones = ['UTC', 'Europe/Berlin', 'America/New_York'] as const

/**
 * Gives times as shops write them, as JSON: around the days on which clocks change in Europe and America, around years' ends and
 * midnights, of the last days, of closed days and of days to come; none, and none that can be read.
 * @param openDays how many days ago the first open day is
 */
export function orderTimes(openDays: number, now = Date.now()): fc.Arbitrary<string | undefined> {
  const time = fc.tuple(instants(openDays, now), forms).map(([ms, write]) => JSON.stringify(write(new Date(ms))))
  return fc.oneof({ weight: 12, arbitrary: time }, { weight: 2, arbitrary: fc.constantFrom(...unreadable) })
}

const unreadable = [
  ...[undefined, 'null', 'true', '{}', '""', '"soon"', '12', '"NaN"', '-1795600800', '"25.11.2026"'],
  ...['"2026-02-30"', '"2026-11-25T25:00:00Z"', '"2026-13-01T00:00:00Z"', '"2026-11-25T10:00:00 CET"'],
]

function instants(openDays: number, now: number): fc.Arbitrary<number> {
  const year = new Date(now).getUTCFullYear()
  const newYears = Array.from({ length: 7 }, (_, at) => Date.UTC(year - at))
  const changes = zones.flatMap((zone) => changesOf(zone, now))
  const near = (centers: readonly number[], days: number) =>
    fc
      .tuple(fc.constantFrom(...centers), fc.oneof(fc.integer({ min: -days * dayMs, max: days * dayMs }), edges))
      .map(([ms, by]) => ms + by)
  return fc.oneof(
    { weight: 5, arbitrary: near(changes, 1) },
    { weight: 3, arbitrary: near(newYears, 4) },
    { weight: 3, arbitrary: near([now], 2) },
    { weight: 1, arbitrary: near([now - openDays * dayMs], 2) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(now + 3 * dayMs, now + 400 * dayMs, Date.UTC(1999, 11, 31), Date.UTC(9000)),
    },
  )
}

/** Before, at and after a midnight, in ms from it. */
const edges = fc.constantFrom(-minuteMs, -1, 0, 1, minuteMs)

/** Returns the midnights that begin or end a day of 23 or 25 hours in a zone, of the last three years. */
function changesOf(zone: string, now: number): number[] {
  const days = Array.from({ length: 3 * 365 }, (_, at) => Math.floor(now / dayMs - at) * dayMs)
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' })
  const changing = days.filter((ms) => offsetAt(format, ms) !== offsetAt(format, ms + dayMs))
  return changing.flatMap((ms) => [ms - offsetAt(format, ms), ms + dayMs - offsetAt(format, ms + dayMs)])
}

/** In ms east of Greenwich. */
function offsetAt(format: Intl.DateTimeFormat, ms: number): number {
  const parts = format.formatToParts(ms)
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(parts.map(({ value }) => value).join('')) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * minuteMs
}

type Write = (time: Date) => string | number

const offsets = fc.integer({ min: -48, max: 56 }).map((quarters) => quarters * 15)

const forms: fc.Arbitrary<Write> = fc.oneof(
  fc.constantFrom<Write[]>(
    (time) => time.toISOString(),
    (time) => time.toISOString().replace('T', ' ').replace('Z', '456Z'),
    (time) => time.toISOString().slice(0, 19),
    (time) => time.toISOString().slice(0, 10),
    (time) => time.toUTCString(),
    (time) => time.getTime(),
    (time) => Math.floor(time.getTime() / 1_000),
    (time) => `${time.getTime() / 1_000}`,
    (time) => `${time.getTime()}999`,
    (time) => `${time.getTime()}999999`,
  ),
  offsets.chain((minutes) =>
    fc.constantFrom<Write[]>(
      (time) => `${wall(time, minutes)}${offset(minutes)}`,
      (time) => `${wall(time, minutes).slice(0, 16)}${offset(minutes).replace(':', '')}`,
      (time) =>
        `${new Date(time.getTime() + minutes * minuteMs).toUTCString().slice(0, 25)} ${offset(minutes).replace(':', '')}`,
    ),
  ),
)

/** The clock on a wall so many minutes east of Greenwich. */
const wall = (time: Date, minutes: number): string =>
  new Date(time.getTime() + minutes * minuteMs).toISOString().slice(0, -1)

function offset(minutes: number): string {
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  return `${minutes < 0 ? '-' : '+'}${`${hours}`.padStart(2, '0')}:${`${rest}`.padStart(2, '0')}`
}
