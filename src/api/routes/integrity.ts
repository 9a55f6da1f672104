import { z } from 'zod'
import { readBooks } from '../../stages/books.ts'
import { amount } from '../fields.ts'
import { defineRoute } from '../route.ts'

const known = z.int().nullable().meta({ description: 'null where a key of it cannot be read.' })

const stage = z.object({
  stage: z.string(),
  in: known,
  passed: known,
  duplicates: known,
  rejected: known,
  missed: known.meta({ description: 'Had gone by before the stage was added to the line.' }),
  waiting: known.meta({ description: 'By the counters: what came in and did not go out.' }),
  measured: z
    .int()
    .nullable()
    .meta({ description: 'What its stream holds for it; null where that is too much to look at.' }),
  balanced: z.boolean().nullable(),
})

export const integrity = defineRoute({
  method: 'get',
  path: '/integrity',
  summary: 'Whether the books balance: every order that came in is counted, rejected, a duplicate or waiting.',
  reply: z
    .object({
      balanced: z.boolean().nullable().meta({ description: 'null where nothing is wrong, but not all can be read.' }),
      received: known,
      admitted: known,
      duplicates: known,
      rejected: known,
      waiting: known,
      stages: z.array(stage),
      applied: known.meta({ description: 'Orders that aggregate has counted, by its counter.' }),
      total_orders: known,
      total_revenue: amount.nullable(),
      invalid: z.object({ stream: known, list: known, groups: known, balanced: z.boolean().nullable() }),
      differences: z.array(z.string()).meta({ description: 'What does not balance, one sentence each.' }),
      unread: z.array(z.string()).meta({ description: 'What cannot be read, and why; the rest stands.' }),
    })
    .meta({ id: 'Integrity' }),
  handle: async ({ ask, partitions }) => {
    const { totals, stages, differences, unread, ...books } = await readBooks(ask, partitions)
    const sums = { total_orders: totals.orders, total_revenue: totals.minor }
    return { ...books, ...sums, stages: [...stages], differences: [...differences], unread: [...unread] }
  },
})
