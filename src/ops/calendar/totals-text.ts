import type { App } from '../../app.ts'
import { addSums, isNoSum, type Money, type Sum } from '../../order/money.ts'
import { readCounters } from '../../reads/counters.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { calendar } from '../../stages/calendar.ts'
import type { CalendarStart } from '../../stages/calendar-books.ts'
import { sumBy } from '../../sums.ts'
import { amountText, ordersText } from '../terminal/numbers.ts'
import type { DatedTotals } from './totals.ts'

function sumText({ orders, minor }: Sum, money: Money): string {
  const currency = money.code === undefined ? '' : ` ${money.code}`
  return `${ordersText(orders, '-')} and ${amountText(Number(minor), money)}${currency}`
}

/** Returns a sentence for each difference, and for each that is explained. */
export async function datedTexts(
  app: App,
  { start, inDays, missing, months }: DatedTotals,
): Promise<{ readonly differences: string[]; readonly notes: string[] }> {
  const { money } = app.format
  const ofMonths = months.map(({ keys, month, days, counted }) => {
    const where = keys.partition === undefined ? '' : `Partition ${keys.partition}: `
    const text = `The days of ${month} add up to ${sumText(days, money)}; the calendar has counted`
    return `${where}${text} ${sumText(counted, money)}.`
  })
  const before = start ? [beforeText(start, money)].filter((text) => text !== '') : []
  if (missing === undefined) return { differences: ofMonths, notes: [...before, tooMany] }
  if (isNoSum(missing)) return { differences: ofMonths, notes: before }
  const grown = sumText(addSums(inDays, missing), money)
  const text = `Since the calendar began the totals have ${grown} more; its days have ${sumText(inDays, money)}`
  const apart = await setApart(app)
  if (apart === 0) return { differences: [...ofMonths, `${text}.`], notes: before }
  const why = `${ordersText(apart, '-')} ${apart === 1 ? 'was' : 'were'} lost or rejected by ${aggregate.name} or ${calendar.name}`
  return { differences: ofMonths, notes: [...before, `${text}: ${why}.`] }
}

const tooMany = `Too many orders wait for ${aggregate.name} or ${calendar.name}: the days are not compared with the totals. Run it again once fewer wait.`

function beforeText({ since, before }: CalendarStart, money: Money): string {
  if (isNoSum(before)) return ''
  return `${sumText(before, money)} were counted before the calendar began at ${since.toISOString()}, and are in no day.`
}

/** Counts orders that one of the two stages alone may have counted: their amounts are not known. */
async function setApart({ redis, partitions, pipeline }: App): Promise<number> {
  const counters = await readCounters(redis, partitions)
  const names = [aggregate.name, calendar.name].flatMap((name) => {
    const { rejected, lost } = pipeline.stage(name)?.counters ?? {}
    return [rejected, lost].flatMap((counter) => counter ?? [])
  })
  return sumBy(names, (name) => Math.abs(counters[name] ?? 0))
}
