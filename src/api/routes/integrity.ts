import { z } from 'zod'
import { readIncidents } from '../../control/incidents.ts'
import { readBooks } from '../../reads/books.ts'
import { type ApiContext, defineRoute } from '../http/route.ts'
import { booksOf, booksReply } from '../replies/books.ts'

export const integrity = defineRoute({
  method: 'get',
  path: '/integrity',
  summary: 'Whether the books balance: every received order is counted, rejected, a duplicate, lost or waiting.',
  reply: booksReply
    .extend({
      incidents: z.array(z.string()).meta({
        description:
          "What happened to Redis' data from outside, until `orders verify --acknowledge`; books that balance do not say it.",
      }),
    })
    .meta({ id: 'Integrity' }),
  handle: async ({ share, format }) => {
    const [books, open] = await share(readAll)
    return { ...booksOf(books, format.money), incidents: open.map(({ text }) => text) }
  },
})

const readAll = (context: ApiContext) => Promise.all([readBooks(context), readIncidents(context.redis)])
