import type { App } from '../../app.ts'
import { subtractSums } from '../../order/money.ts'
import { readDatedTotals } from './totals.ts'
import { datedTexts } from './totals-text.ts'

/** Returns a sentence for each way in which the days do not add up. */
export async function oddDays(app: App): Promise<string[]> {
  if (app.config.calendar === 'off') return []
  const totals = await readDatedTotals(app)
  const { differences } = await datedTexts(app, totals)
  return differences
}

/** Accepts that days do not add up: from now on they must be apart by as much. Exact while orders are counted. */
export async function acceptDays(app: App): Promise<void> {
  const { redis, partitions } = app
  for (const { keys, month, days, counted } of (await readDatedTotals(app)).months) {
    const { orders, minor } = subtractSums(days, counted)
    await redis.hincrby(keys.calendarBooks, `${month}:orders`, String(orders))
    await redis.hincrby(keys.calendarBooks, `${month}:revenue`, String(minor))
  }
  const { missing } = await readDatedTotals(app) // with the months as they are now
  const [first] = partitions
  if (!missing || !first) return
  await redis.hincrby(first.calendarBooks, 'before:orders', String(missing.orders))
  await redis.hincrby(first.calendarBooks, 'before:revenue', String(missing.minor))
}
