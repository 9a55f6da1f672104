import type { Message } from './order-book.ts'

export interface Sums {
  readonly orders: number
  readonly cents: bigint
}

/** The fields of a day, as the API names them; amounts in cents. */
export interface DaySums {
  orders: number
  revenue: bigint
  cancelled: bigint
  refunded: bigint
  undated: number
  misdated: number
}

/**
 * Computes what counts on which day from docs/how-to/calendar.md alone, independently of src: Intl says the day of an instant, and
 * Date reads texts. All messages are taken for sent on the day of `now`.
 */
export class CalendarOracle {
  readonly zone: string
  readonly today: string
  readonly days = new Map<string, DaySums>()
  /** By user id and day. */
  readonly users = new Map<string, Map<string, Sums>>()
  private readonly first: string
  private readonly last: string
  private readonly format: Intl.DateTimeFormat

  constructor(zone: string, openDays: number, now = Date.now()) {
    this.zone = zone
    this.format = dayFormat(zone)
    this.today = this.format.format(now)
    this.first = later(this.today, -openDays)
    this.last = later(this.today, 1)
  }

  count({ kind, user, timestamp }: Message, orders: number, cents: bigint): void {
    const time = timeIn(timestamp)
    const own = typeof time === 'number' ? this.format.format(time) : time
    const isOpen = own !== undefined && own >= this.first && own <= this.last
    const day = isOpen ? own : this.today
    const sums = this.days.get(day) ?? noSums()
    this.days.set(day, sums)
    sums.orders += orders
    sums.revenue += cents
    if (kind === 'cancelled' || kind === 'refunded') sums[kind] -= cents
    if (!isOpen) sums[own === undefined ? 'undated' : 'misdated']++
    const ofUser = this.users.get(user) ?? new Map<string, Sums>()
    this.users.set(user, ofUser)
    ofUser.set(day, plus(ofUser.get(day), { orders, cents }))
  }

  /** Returns the sums of each user in each day, week and month, by the name of the period. */
  periods(): Map<string, Map<string, Sums>> {
    const all = new Map<string, Map<string, Sums>>()
    for (const [user, days] of this.users) {
      for (const [day, sums] of days) {
        for (const period of [day, weekOf(day), day.slice(0, 7)]) {
          const users = all.get(period) ?? new Map<string, Sums>()
          all.set(period, users)
          users.set(user, plus(users.get(user), sums))
        }
      }
    }
    return all
  }
}

const noSums = (): DaySums => ({ orders: 0, revenue: 0n, cancelled: 0n, refunded: 0n, undated: 0, misdated: 0 })

export const plus = (one: Sums | undefined, other: Sums): Sums => ({
  orders: (one?.orders ?? 0) + other.orders,
  cents: (one?.cents ?? 0n) + other.cents,
})

/** Swedish dates are `2026-11-25`. */
const dayFormat = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })

export function later(day: string, days: number): string {
  const date = new Date(day)
  date.setUTCDate(date.getUTCDate() + days)
  return date.toISOString().slice(0, 10)
}

/** The weeks of ISO 8601 by the days in them, counted from a Monday: week 1 of a year is the first with four of its days. */
const weeks = new Map<string, string>()
for (let [monday, year, week] = ['2009-12-28', 2009, 53]; monday < '2060'; monday = later(monday, 7)) {
  const ofWeek = Array.from({ length: 7 }, (_, at) => later(monday, at))
  const inNext = ofWeek.filter((day) => Number(day.slice(0, 4)) > year).length
  if (inNext >= 4) [year, week] = [year + 1, 1]
  for (const day of ofWeek) weeks.set(day, `${year}-W${`${week}`.padStart(2, '0')}`)
  week++
}

export const weekOf = (day: string): string => weeks.get(day) ?? ''

/** Returns an instant in ms, the day of a text without a zone, or undefined for what is no time. */
function timeIn(sent: unknown): number | string | undefined {
  const text = typeof sent === 'number' || typeof sent === 'string' ? `${sent}`.trim() : ''
  if (/^\d{9,19}(\.\d+)?$/.test(text)) return sinceEpoch(text)
  if (/^\w{3}, \d\d? \w{3} \d{4} /.test(text)) return number(Date.parse(text))
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.](\d+))?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text)
  const [, day = '', minute = '00:00', second = ':00', fraction = '0', zone] = iso ?? compact(text) ?? []
  const time = `T${minute}${second}.${fraction.slice(0, 3)}`
  if (!doesExist(day) || Number.isNaN(Date.parse(`${day}${time}Z`))) return undefined
  return zone === undefined ? day : number(Date.parse(`${day}${time}${zone.replace(/(\d\d)(\d\d)$/, '$1:$2')}`))
}

const compact = (text: string): string[] | undefined =>
  /^\d{8}$/.test(text) ? ['', `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`] : undefined

const doesExist = (day: string): boolean => {
  const ms = Date.parse(`${day}T00:00Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day)
}

const number = (ms: number): number | undefined => (Number.isNaN(ms) ? undefined : ms)

/** Eleven digits are seconds at most, fourteen ms, seventeen µs. */
function sinceEpoch(text: string): number {
  const [whole = '', fraction = ''] = text.split('.')
  if (whole.length <= 11) return Number(`${BigInt(`${whole}${fraction.padEnd(3, '0').slice(0, 3)}`)}`)
  return Number(BigInt(whole) / 1_000n ** BigInt(Math.ceil((whole.length - 14) / 3)))
}
