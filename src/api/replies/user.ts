import { z } from 'zod'
import { invalidOrder } from '../../invalid-order.ts'
import { amount } from '../http/schemas.ts'
import { erasedReply } from './erased.ts'
import { discardedReply, scannedReply } from './trace.ts'

const rank = z.object({ rank: z.int().nullable(), users: z.int() })

/** The reply of `orders user --json`, with the names of the API's routes of a user. */
export const userReply = z.object({
  user_id: z.string(),
  order_count: z.int(),
  total_spend: amount,
  ...erasedReply,
  ranks: z.object({ spend: rank, orders: rank }),
  discarded: z.array(discardedReply),
  scanned: z.array(scannedReply),
  invalid: z.array(invalidOrder),
})
