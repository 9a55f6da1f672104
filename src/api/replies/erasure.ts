import { z } from 'zod'
import type { Money } from '../../order/money.ts'
import { type Receipt, receipt } from '../../stages/erasure/receipt.ts'
import { amount } from '../http/schemas.ts'

/** The receipt of an erasure with amounts in currency units, as the route and `orders erase --json` reply it. */
export const erasureReply = receipt
  .extend({
    moved: z.object({ account: z.string(), orders: z.int(), spend: amount, months: z.int() }).meta({
      description: 'What the anonymous account got: totals, and the months that had numbers.',
    }),
  })
  .meta({ id: 'Erasure' })

export function erasureOf(
  { moved: { minor, ...moved }, ...rest }: Receipt,
  money: Money,
): z.input<typeof erasureReply> {
  return { ...rest, moved: { ...moved, spend: money.toAmount(minor) } }
}
