import { z } from 'zod'
import { readGlobalStats, readUserStats } from '../../stages/aggregate.ts'
import { boards, readTop } from '../../stages/leaderboard.ts'
import { amount, integerParam } from '../fields.ts'
import { defineRoute } from '../route.ts'

export const userStats = defineRoute({
  method: 'get',
  path: '/users/{user_id}/stats',
  summary: "A user's order count and total spend; zeros for an unknown user.",
  params: z.object({ user_id: z.string() }),
  reply: z.object({ user_id: z.string(), order_count: z.int(), total_spend: amount }).meta({ id: 'UserStats' }),
  handle: async ({ ask, keys }, { params: { user_id } }) => {
    const { orders, minor } = await readUserStats(ask, keys, user_id)
    return { user_id, order_count: orders, total_spend: minor }
  },
})

export const globalStats = defineRoute({
  method: 'get',
  path: '/stats/global',
  summary: 'Number of orders and total revenue.',
  reply: z.object({ total_orders: z.int(), total_revenue: amount }).meta({ id: 'GlobalStats' }),
  handle: async ({ ask, keys }) => {
    const { orders, minor } = await readGlobalStats(ask, keys)
    return { total_orders: orders, total_revenue: minor }
  },
})

const board = z.enum(boards, `must be ${boards.join(' or ')}`)
const ranked = { by: board, n: z.int(), offset: z.int() }

export const topUsers = defineRoute({
  method: 'get',
  path: '/stats/top-users',
  summary: 'The best users by spend or by order count, best first; equals in descending order of user_id.',
  query: z.object({
    by: board.default('spend').meta({ description: 'Board.' }),
    n: integerParam(1, 100, 10, 'How many users.'),
    offset: integerParam(0, Number.MAX_SAFE_INTEGER, 0, 'How many to leave out first.'),
  }),
  reply: z
    .discriminatedUnion('by', [
      z.object({ ...ranked, by: z.literal('spend'), users: z.array(z.object({ user_id: z.string(), score: amount })) }),
      z.object({
        ...ranked,
        by: z.literal('orders'),
        users: z.array(z.object({ user_id: z.string(), score: z.int() })),
      }),
    ])
    .meta({ id: 'TopUsers' }),
  handle: async ({ ask, keys }, { query: { by, n, offset } }) => {
    const top = await readTop(ask, keys, by, { limit: n, offset })
    return { by, n, offset, users: top.map(({ userId, score }) => ({ user_id: userId, score })) }
  },
})
