import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import { type Sum, subtractSums } from '../../order/money.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { readDatedTotals } from './totals.ts'
import { datedTexts } from './totals-text.ts'

/** Returns a sentence for each way in which the days do not add up. */
export async function oddDays(app: App): Promise<string[]> {
  if (app.config.calendar === 'off') return []
  const totals = await readDatedTotals(app)
  const { differences } = await datedTexts(app, totals)
  return differences
}

/**
 * Accepts that days do not add up: from now on they must be apart by as much. Exact while orders are counted. What was
 * compared before can no longer be added.
 * @param alive called before each write. @throws if another process has taken over
 */
export async function acceptDays(app: App, alive: () => Promise<void>): Promise<void> {
  const add = async (keys: Keys, what: string, { orders, minor }: Sum): Promise<void> => {
    await alive()
    const write = app.redis.multi().del(keys.compared)
    write.hincrby(keys.calendarBooks, `${what}:orders`, String(orders))
    write.hincrby(keys.calendarBooks, `${what}:revenue`, String(minor))
    unwrapReplies(await write.exec())
  }
  for (const { keys, month, days, counted } of (await readDatedTotals(app)).months)
    await add(keys, month, subtractSums(days, counted))
  const { missing } = await readDatedTotals(app) // with the months as they are now
  const [first] = app.partitions
  if (missing && first) await add(first, 'before', missing)
}
