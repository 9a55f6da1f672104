import { z } from 'zod'
import { readIncidents } from '../../control/incidents.ts'
import { readBooks } from '../../reads/books.ts'
import { type ApiContext, defineRoute } from '../http/route.ts'
import { amount } from '../http/schemas.ts'

const known = z.int().nullable().meta({ description: 'null if a key it needs cannot be read.' })

const stage = z.object({
  stage: z.string(),
  in: known,
  passed: known,
  duplicates: known,
  rejected: known,
  missed: known.meta({ description: 'Had passed before the stage was added to the pipeline.' }),
  lost: known.meta({ description: 'Were deleted before the stage committed them, and are written off.' }),
  foreign: known.meta({ description: 'Of those that came in, orders that no stage of ours wrote.' }),
  waiting: known.meta({ description: 'By the counters: in minus out.' }),
  measured: z.int().nullable().meta({ description: 'What its stream holds for it; null if that is too much to scan.' }),
  balanced: z.boolean().nullable(),
})

export const integrity = defineRoute({
  method: 'get',
  path: '/integrity',
  summary: 'Whether the books balance: every received order is counted, rejected, a duplicate, lost or waiting.',
  reply: z
    .object({
      balanced: z
        .boolean()
        .nullable()
        .meta({ description: 'null if nothing is wrong but not everything can be read.' }),
      received: known,
      admitted: known,
      duplicates: known,
      rejected: known,
      lost: known,
      waiting: known,
      stages: z.array(stage),
      applied: known.meta({ description: 'Orders that aggregate has counted, by its counter.' }),
      total_orders: known,
      total_revenue: amount.nullable(),
      invalid: z.object({ stream: known, list: known, groups: known, balanced: z.boolean().nullable() }),
      losses: z
        .array(z.string())
        .meta({ description: 'Orders that are missing and not written off, one sentence each.' }),
      differences: z.array(z.string()).meta({ description: 'Anything else that does not balance, one sentence each.' }),
      notes: z.array(z.string()).meta({ description: 'Remarks: foreign orders, stages that cannot be measured.' }),
      unread: z.array(z.string()).meta({ description: 'What cannot be read, and why. The rest is valid.' }),
      incidents: z.array(z.string()).meta({
        description:
          "What happened to Redis' data from outside, until `orders verify --acknowledge`; books that balance do not say it.",
      }),
    })
    .meta({ id: 'Integrity' }),
  handle: async ({ share }) => {
    const [{ totals, stages, losses, differences, notes, unread, ...books }, open] = await share(readAll)
    const sums = { total_orders: totals.orders, total_revenue: totals.minor }
    const texts = {
      losses: [...losses],
      differences: [...differences],
      notes: [...notes],
      unread: [...unread],
      incidents: open.map(({ text }) => text),
    }
    return { ...books, ...sums, stages: [...stages], ...texts }
  },
})

const readAll = (context: ApiContext) => Promise.all([readBooks(context), readIncidents(context.redis)])
