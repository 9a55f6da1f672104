import { z } from 'zod'
import type { Money } from '../../order/money.ts'
import type { Books } from '../../reads/books.ts'
import { amount } from '../http/schemas.ts'

const known = z.int().nullable().meta({ description: 'null if a key it needs cannot be read.' })

const stage = z.object({
  stage: z.string(),
  in: known,
  passed: known,
  corrected: known.meta({ description: 'Corrections that the first stage passed on.' }),
  duplicates: known,
  rejected: known,
  missed: known.meta({ description: 'Had passed before the stage was added to the pipeline.' }),
  lost: known.meta({ description: 'Were deleted before the stage committed them, and are written off.' }),
  foreign: known.meta({ description: 'Of those that came in, orders that no stage of ours wrote.' }),
  waiting: known.meta({ description: 'By the counters: in minus out.' }),
  measured: z.int().nullable().meta({ description: 'What its stream holds for it; null if that is too much to scan.' }),
  balanced: z.boolean().nullable(),
})

/** The books, as `GET /integrity` replies them and `orders verify --json` prints them. */
export const booksReply = z.object({
  balanced: z.boolean().nullable().meta({ description: 'null if nothing is wrong but not everything can be read.' }),
  received: known,
  admitted: known,
  corrected: known.meta({ description: 'Cancellations, refunds and amendments of orders.' }),
  duplicates: known,
  rejected: known,
  lost: known,
  waiting: known,
  stages: z.array(stage),
  applied: known.meta({ description: 'Orders that aggregate has counted, by its counter.' }),
  total_orders: known,
  total_revenue: amount.nullable(),
  invalid: z.object({ stream: known, list: known, groups: known, balanced: z.boolean().nullable() }),
  losses: z.array(z.string()).meta({ description: 'Orders that are missing and not written off, one sentence each.' }),
  differences: z.array(z.string()).meta({ description: 'Anything else that does not balance, one sentence each.' }),
  notes: z.array(z.string()).meta({ description: 'Remarks: foreign orders, stages that cannot be measured.' }),
  unread: z.array(z.string()).meta({ description: 'What cannot be read, and why. The rest is valid.' }),
})

export function booksOf(found: Books, { toAmount }: Money): z.input<typeof booksReply> {
  const { totals, counted: _, stages, losses, differences, notes, unread, ...books } = found
  const sums = {
    total_orders: totals.orders,
    total_revenue: totals.minor === null ? null : toAmount(totals.minor),
  }
  const texts = { losses: [...losses], differences: [...differences], notes: [...notes], unread: [...unread] }
  return { ...books, ...sums, stages: [...stages], ...texts }
}
