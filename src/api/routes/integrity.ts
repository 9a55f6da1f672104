import { z } from 'zod'
import { readIncidents } from '../../incidents.ts'
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
  summary: 'Whether the books balance: every order that came in is counted, rejected, a duplicate or waiting.',
  reply: z
    .object({
      balanced: z.boolean(),
      received: z.int(),
      admitted: z.int(),
      duplicates: z.int(),
      rejected: z.int(),
      waiting: z.int(),
      stages: z.array(stage),
      applied: z.int().meta({ description: 'Orders that aggregate has counted, by its counter.' }),
      total_orders: z.int(),
      total_revenue: amount,
      invalid: z.object({ stream: z.int(), list: z.int(), groups: z.int(), balanced: z.boolean() }),
      differences: z.array(z.string()).meta({ description: 'What does not balance, one sentence each.' }),
      incidents: z.array(z.string()).meta({
        description:
          "What happened to Redis' data from outside, until `orders verify --acknowledge`; books that balance do not say it.",
      }),
    })
    .meta({ id: 'Integrity' }),
  handle: async ({ ask, partitions }) => {
    const [{ totals, stages, differences, ...books }, open] = await Promise.all([
      readBooks(ask, partitions),
      readIncidents(ask),
    ])
    const sums = { total_orders: totals.orders, total_revenue: totals.minor }
    const incidents = open.map(({ text }) => text)
    return { ...books, ...sums, stages: [...stages], differences: [...differences], incidents }
  },
})
