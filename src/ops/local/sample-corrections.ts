import type { Money } from '../../order/money.ts'
import { sumBy } from '../../sums.ts'

interface SampleOrder {
  readonly user_id: string
  readonly order_id: string
  readonly order_value: number
  readonly order_timestamp: string
  readonly items: readonly SampleItem[]
}
interface SampleItem {
  readonly product_id: string
  readonly quantity: number
  readonly price_per_unit: number
}

/** A correction follows its order after up to three days. */
const maxDelayMs = 3 * 86_400_000

/**
 * Returns a function that corrects an order: half are refunded, all or a part; some have items taken away or added; the rest are
 * cancelled. Each is valid as the first correction of its order.
 * @param until no correction is later, in ms
 */
export function correcting(random: () => number, money: Money, until: number): (order: SampleOrder) => object {
  const below = (limit: number): number => Math.floor(random() * limit)
  return ({ user_id, order_id, order_value, order_timestamp, items }) => {
    const [kind, delay] = [random(), below(maxDelayMs / 1_000) * 1_000]
    const order = { user_id, order_id, event_id: `${order_id}-corrected` }
    const at = new Date(Math.min(until, Date.parse(order_timestamp) + delay)).toISOString()
    if (kind < 0.5) {
      const amount = money.toAmount(1 + below(money.toMinor(order_value)))
      return { event: 'order.refunded', ...order, amount, order_timestamp: at }
    }
    if (kind < 0.8) {
      const left = items.length > 1 ? items.slice(1) : items.map((item) => ({ ...item, quantity: item.quantity + 1 }))
      const minor = sumBy(left, (item) => item.quantity * money.toMinor(item.price_per_unit))
      const amended = { order_value: money.toAmount(minor), order_timestamp: at, items: left }
      return { event: 'order.amended', ...order, ...amended }
    }
    return { event: 'order.cancelled', ...order, order_timestamp: at }
  }
}
