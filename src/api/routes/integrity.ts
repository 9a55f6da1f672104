import { z } from 'zod'
import { readBooks } from '../../stages/books.ts'
import { amount } from '../fields.ts'
import { defineRoute } from '../route.ts'

const stage = z.object({
  stage: z.string(),
  in: z.int(),
  passed: z.int(),
  duplicates: z.int(),
  rejected: z.int(),
  missed: z.int().meta({ description: 'Had gone by before the stage was added to the line.' }),
  lost: z.int().meta({ description: 'Were deleted before the stage had committed them, and are written off.' }),
  foreign: z.int().meta({ description: 'Of those that came in: no stage of ours wrote them.' }),
  waiting: z.int().meta({ description: 'By the counters: what came in and did not go out.' }),
  measured: z
    .int()
    .nullable()
    .meta({ description: 'What its stream holds for it; null where that is too much to look at.' }),
  balanced: z.boolean(),
})

export const integrity = defineRoute({
  method: 'get',
  path: '/integrity',
  summary: 'Whether the books balance: every order that came in is counted, rejected, a duplicate, lost or waiting.',
  reply: z
    .object({
      balanced: z.boolean(),
      received: z.int(),
      admitted: z.int(),
      duplicates: z.int(),
      rejected: z.int(),
      lost: z.int(),
      waiting: z.int(),
      stages: z.array(stage),
      applied: z.int().meta({ description: 'Orders that aggregate has counted, by its counter.' }),
      total_orders: z.int(),
      total_revenue: amount,
      invalid: z.object({ stream: z.int(), list: z.int(), groups: z.int(), balanced: z.boolean() }),
      losses: z
        .array(z.string())
        .meta({ description: 'Orders that are missing and not written off, one sentence each.' }),
      differences: z.array(z.string()).meta({ description: 'What else does not balance, one sentence each.' }),
      notes: z
        .array(z.string())
        .meta({ description: 'What to know besides: foreign orders, stages that cannot be measured.' }),
    })
    .meta({ id: 'Integrity' }),
  handle: async ({ ask, partitions }) => {
    const { totals, stages, losses, differences, notes, ...books } = await readBooks(ask, partitions)
    const sums = { total_orders: totals.orders, total_revenue: totals.minor }
    const told = { losses: [...losses], differences: [...differences], notes: [...notes] }
    return { ...books, ...sums, stages: [...stages], ...told }
  },
})
