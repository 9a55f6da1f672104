import { z } from 'zod'
import { readDays, readUserDays, sumOfDays } from '../../reads/calendar/days.ts'
import { cursorText, readCursor, readTop } from '../../reads/top.ts'
import { readGlobalStats, readUserStats } from '../../stages/aggregate.ts'
import { askedPeriod, askedRange, noCalendar, period, rangeQuery } from '../calendar/asked.ts'
import { askedRangeReply } from '../calendar/replies.ts'
import { refuseField } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import { amount, integerParam, optionalInteger, userParams } from '../http/schemas.ts'
import { tooManyReads } from '../http/turns.ts'
import { erasedOf, erasedReply } from '../replies/erased.ts'
import { board, topUsersOf, topUsersReply } from '../replies/top-users.ts'

export const userStats = defineRoute({
  method: 'get',
  path: '/users/{user_id}/stats',
  summary:
    "A user's order count and total spend; zeros for an unknown user. Of all time, or of days with `from` and `to`.",
  params: userParams,
  query: rangeQuery,
  reply: z
    .object({ user_id: z.string(), order_count: z.int(), total_spend: amount, ...erasedReply, ...askedRangeReply })
    .meta({ id: 'UserStats' }),
  refusals: noCalendar,
  handle: async (context, { params: { user_id }, query }) => {
    const { redis, partitions, format } = context
    const range = await askedRange(context, query)
    if (range && !('to' in range)) return range
    const { orders, minor } = range
      ? await readUserDays(redis, partitions, user_id, range)
      : await readUserStats(redis, partitions, user_id)
    const erased = await erasedOf(context, user_id)
    return { user_id, order_count: orders, total_spend: format.money.toAmount(minor), ...erased, ...range }
  },
})

export const globalStats = defineRoute({
  method: 'get',
  path: '/stats/global',
  summary: 'Number of orders and total revenue: of all time, or of days with `from` and `to`.',
  query: rangeQuery,
  reply: z.object({ total_orders: z.int(), total_revenue: amount, ...askedRangeReply }).meta({ id: 'GlobalStats' }),
  refusals: noCalendar,
  handle: async (context, { query }) => {
    const { redis, partitions, format } = context
    const range = await askedRange(context, query)
    if (range && !('to' in range)) return range
    const { orders, minor } = range
      ? sumOfDays(await readDays(redis, partitions, range))
      : await readGlobalStats(redis, partitions)
    return { total_orders: orders, total_revenue: format.money.toAmount(minor), ...range }
  },
})

const cursor = z
  .string()
  .transform((text, context) => {
    const behind = readCursor(text)
    if (text !== '' && !behind) context.addIssue('must be empty or the `next` of a reply')
    return { behind }
  })
  .optional()
  .meta({
    description:
      'Pages by cursor: empty for the first page, then the `next` of the previous one. Cannot be combined with `offset`.',
    override: { type: 'string' },
  })

const topQuery = z
  .object({
    by: board.default('spend').meta({ description: 'Board.' }),
    n: integerParam(1, 100, 10, 'How many users.'),
    offset: optionalInteger(0, Number.MAX_SAFE_INTEGER, 'How many users to skip. The default is none.'),
    after: cursor,
    period,
  })
  .refine(({ offset, after }) => offset === undefined || after === undefined, {
    path: ['after'],
    error: 'cannot be together with offset',
  })
  .refine(({ by, after }) => after?.behind === undefined || after.behind.board === by, {
    path: ['after'],
    error: 'must be the `next` of a reply by the same board',
  })

export const topUsers = defineRoute({
  method: 'get',
  path: '/stats/top-users',
  summary:
    'The top users by spend or by order count, best first. Ties are broken by user_id, descending, bytewise. With `after`, pages do not shift while users rise: only users that rise past the cursor are skipped, and only those whom corrections lower past it appear twice.',
  query: topQuery,
  reply: topUsersReply,
  refusals: { ...tooManyReads, ...noCalendar },
  csv: ({ users, offset }) => ({
    columns: ['rank', 'user_id', 'score'],
    rows: users.map(({ user_id, score }, at) => [offset + at + 1, user_id, score]),
  }),
  handle: async (context, { query: { by, n, offset = 0, after, period: name }, signal, client }) => {
    const { redis, partitions, format, turns } = context
    const asked = await askedPeriod(context, name)
    if (asked && !('to' in asked)) return asked
    const period = asked?.period
    if (after?.behind && after.behind.period !== period) return refuseField('after', otherPeriod)
    const read = async () => {
      const from = after?.behind ? { after: after.behind } : { offset }
      const page = await readTop(redis, partitions, by, { limit: n, signal, period, ...from })
      const reply = topUsersOf(by, n, page, format.money, asked)
      return after ? { ...reply, next: page.next && cursorText(page.next) } : reply
    }
    return partitions.length > 1 && offset > deepOffset ? turns.list({ signal, client }, read) : read()
  },
})

const otherPeriod = 'must be the `next` of a reply about the same period'

/** Beyond this, a page over several partitions takes a few hundred reads. */
const deepOffset = 1_000
