import { z } from 'zod'
import { type Money, wholeNumberOf } from '../../order/money.ts'
import type { Page } from '../../reads/top.ts'
import { type Board, boards } from '../../stages/leaderboard.ts'
import { periodReply, type ReportedPeriod } from '../calendar/replies.ts'
import { amount } from '../http/schemas.ts'

export const board = z.enum(boards, `must be ${boards.join(' or ')}`)

const ranked = {
  by: board,
  n: z.int(),
  offset: z.int().meta({ description: 'How many users rank above the first of these.' }),
  next: z
    .string()
    .nullable()
    .optional()
    .meta({ description: 'With `after`: the `after` of the next page; null on the last page.' }),
  ...periodReply,
}

/** The reply of `GET /stats/top-users`, which `orders top --json` prints. */
export const topUsersReply = z
  .discriminatedUnion('by', [
    z.object({ ...ranked, by: z.literal('spend'), users: z.array(z.object({ user_id: z.string(), score: amount })) }),
    z.object({ ...ranked, by: z.literal('orders'), users: z.array(z.object({ user_id: z.string(), score: z.int() })) }),
  ])
  .meta({ id: 'TopUsers' })

/** Makes the reply of a page. Rounds down a score that another client wrote as a fraction. */
export function topUsersOf(
  by: Board,
  n: number,
  { users, offset }: Page,
  { toAmount }: Money,
  period?: ReportedPeriod,
): z.input<typeof topUsersReply> {
  const scoreOf = (score: number): number => (by === 'spend' ? toAmount(wholeNumberOf(score)) : wholeNumberOf(score))
  const ranked = users.map(({ userId, score }) => ({ user_id: userId, score: scoreOf(score) }))
  return { by, n, offset, users: ranked, ...period }
}
