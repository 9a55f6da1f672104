import { z } from 'zod'
import { wholeNumberOf } from '../../money.ts'
import { cursorText, type Page, readCursor, readTop } from '../../reads/top.ts'
import { readGlobalStats, readUserStats } from '../../stages/aggregate.ts'
import { type Board, boards } from '../../stages/leaderboard.ts'
import { defineRoute } from '../http/handler.ts'
import { amount, integerParam, optionalInteger, userParams } from '../http/schemas.ts'
import { listInTurn, tooManyReads } from '../http/turns.ts'

export const userStats = defineRoute({
  method: 'get',
  path: '/users/{user_id}/stats',
  summary: "A user's order count and total spend; zeros for an unknown user.",
  params: userParams,
  reply: z.object({ user_id: z.string(), order_count: z.int(), total_spend: amount }).meta({ id: 'UserStats' }),
  handle: async ({ ask, partitions }, { params: { user_id } }) => {
    const { orders, minor } = await readUserStats(ask, partitions, user_id)
    return { user_id, order_count: orders, total_spend: minor }
  },
})

export const globalStats = defineRoute({
  method: 'get',
  path: '/stats/global',
  summary: 'Number of orders and total revenue.',
  reply: z.object({ total_orders: z.int(), total_revenue: amount }).meta({ id: 'GlobalStats' }),
  handle: async ({ ask, partitions }) => {
    const { orders, minor } = await readGlobalStats(ask, partitions)
    return { total_orders: orders, total_revenue: minor }
  },
})

const board = z.enum(boards, `must be ${boards.join(' or ')}`)

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
      'Pages by cursor: empty for the first, then the `next` of the page before; not together with `offset`.',
    override: { type: 'string' },
  })

const topQuery = z
  .object({
    by: board.default('spend').meta({ description: 'Board.' }),
    n: integerParam(1, 100, 10, 'How many users.'),
    offset: optionalInteger(0, Number.MAX_SAFE_INTEGER, 'How many to leave out first; none if it is not given.'),
    after: cursor,
  })
  .refine(({ offset, after }) => offset === undefined || after === undefined, {
    path: ['after'],
    error: 'cannot be together with offset',
  })
  .refine(({ by, after }) => after?.behind === undefined || after.behind.board === by, {
    path: ['after'],
    error: 'must be the `next` of a reply by the same board',
  })

const ranked = {
  by: board,
  n: z.int(),
  offset: z.int().meta({ description: 'How many users stand before the first of these.' }),
  next: z
    .string()
    .nullable()
    .optional()
    .meta({ description: 'Where `after` was given: the `after` of the next page; null where there is none.' }),
}

const topUsersReply = z
  .discriminatedUnion('by', [
    z.object({ ...ranked, by: z.literal('spend'), users: z.array(z.object({ user_id: z.string(), score: amount })) }),
    z.object({ ...ranked, by: z.literal('orders'), users: z.array(z.object({ user_id: z.string(), score: z.int() })) }),
  ])
  .meta({ id: 'TopUsers' })

/** A page as the reply has it. A score that another client wrote is shown rounded down. */
export function topUsersOf(by: Board, n: number, { users, offset }: Page): z.input<typeof topUsersReply> {
  return { by, n, offset, users: users.map(({ userId, score }) => ({ user_id: userId, score: wholeNumberOf(score) })) }
}

export const topUsers = defineRoute({
  method: 'get',
  path: '/stats/top-users',
  summary:
    'The best users by spend or by order count, best first; equals in descending order of user_id, byte by byte. With `after` no page shifts while others rise: nobody is shown twice, and nobody is left out but who rises past the cursor.',
  query: topQuery,
  reply: topUsersReply,
  refusals: tooManyReads,
  handle: async ({ ask, partitions }, { query: { by, n, offset = 0, after }, signal, client }) => {
    const read = async () => {
      const from = after?.behind ? { after: after.behind } : { offset }
      const page = await readTop(ask, partitions, by, { limit: n, signal, ...from })
      const reply = topUsersOf(by, n, page)
      return after ? { ...reply, next: page.next && cursorText(page.next) } : reply
    }
    return partitions.length > 1 && offset > deepOffset ? listInTurn({ signal, client }, read) : read()
  },
})

/** Further down, a page of several partitions takes some hundred reads. */
const deepOffset = 1_000
