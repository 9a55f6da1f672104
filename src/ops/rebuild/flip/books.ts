import { OrdersError } from '../../../errors.ts'
import { readBooks } from '../../../reads/books.ts'
import { aggregate, correctionsCounter } from '../../../stages/aggregate.ts'
import { calendar } from '../../../stages/calendar.ts'
import { boundless, readCalendarBooks } from '../../../stages/calendar-books.ts'
import type { Stage } from '../../../stages/placed.ts'
import type { Compared } from '../compare/compare.ts'
import type { Build } from '../feed.ts'
import type { Change } from './counters.ts'

/** Returns by stage how many records all partitions together lack; below 0 if the archive lacks some. */
export function lacksOf(stages: readonly Stage[], all: readonly Compared[]): Map<string, number> {
  return new Map(
    stages.map(({ name, counts }) => {
      const each = all.map(({ books }) => Number((books.built.get(counts) ?? 0n) - (books.live.get(counts) ?? 0n)))
      return [name, each.reduce((sum, one) => sum + one, 0)]
    }),
  )
}

/** Returns by stage how many orders it has rejected in all partitions together, of those that have rejected some. */
export function rejectedOf(stages: readonly Stage[], all: readonly Compared[]): Map<string, number> {
  const sums = stages.map(
    ({ name }) => [name, all.reduce((sum, one) => sum + (one.rejected.get(name) ?? 0), 0)] as const,
  )
  return new Map(sums.filter(([, orders]) => orders > 0))
}

/** Reads what the stages of a partition have not counted. Of what they have rejected only what was compared is counted now. */
export async function readChange(
  { app, stages }: Build,
  { keys, books, differences, rejected }: Compared,
): Promise<Change> {
  const found = await readBooks({ ...app, partitions: [keys] })
  const of = (field: string): number => Number(books.live.get(field) ?? 0n)
  const uncounted = new Map(
    found.stages.map(({ stage, missed, lost, waiting, measured }) => {
      const missing = Math.max(0, (waiting ?? 0) - (measured ?? waiting ?? 0))
      return [stage, { rejected: rejected.get(stage) ?? 0, missed: missed ?? 0, lost: lost ?? 0, missing }]
    }),
  )
  const global = stages.some(({ name }) => name === aggregate.name) ? differences.get(keys.globalStats) : undefined
  const counted = of(aggregate.counts) - of(correctionsCounter)
  return { lacks: global?.add.get('total_orders') ?? 0, surplus: of('total_orders') - counted, uncounted }
}

/**
 * Returns what to add to the fields of the calendar that say what came before it began: totals = days + what came before, over
 * all partitions together. As all differences, it stays right while orders are counted. A partition where the calendar has yet
 * to begin finds out by itself.
 * @throws OrdersError ORD_BOOKS if a stage stands between the calendar and aggregate
 */
export async function beforeChanges(
  { app, stages }: Pick<Build, 'app' | 'stages'>,
  all: readonly Pick<Compared, 'keys' | 'differences'>[],
): Promise<ReadonlyMap<string, number>> {
  if (!app.pipeline.stage(calendar.name)) return new Map()
  const isBuilt = stages.some(({ name }) => name === calendar.name)
  let [orders, revenue] = [0, 0]
  for (const { differences, keys } of all) {
    const { since, before, inNoDay } = await readCalendarBooks({ ...app, keys }, boundless)
    if (since === undefined) continue
    const totals = differences.get(keys.globalStats)?.add
    orders += totals?.get('total_orders') ?? 0
    revenue += totals?.get('total_revenue_minor') ?? 0
    if (!isBuilt) continue
    if (inNoDay === undefined) throw unknownBegin()
    const months = sumOf(differences.get(keys.calendarBooks)?.add)
    orders += Number(inNoDay.orders - before.orders) - months.orders
    revenue += Number(inNoDay.minor - before.minor) - months.revenue
  }
  const add = [['before:orders', orders] as const, ['before:revenue', revenue] as const]
  return new Map(add.filter(([, by]) => by !== 0))
}

const unknownBegin = (): OrdersError =>
  new OrdersError('ORD_BOOKS', 'A stage stands between calendar and aggregate: what no day has cannot be known.')

function sumOf(fields: ReadonlyMap<string, number> = new Map()): { orders: number; revenue: number } {
  const sum = { orders: 0, revenue: 0 }
  for (const [field, by] of fields) {
    if (field.endsWith(':orders')) sum.orders += by
    if (field.endsWith(':revenue')) sum.revenue += by
  }
  return sum
}
