import { z } from 'zod'
import { type Money, wholeNumberOf } from '../../order/money.ts'
import { readRank, type Standing } from '../../reads/rank.ts'
import { askedPeriod, noCalendar, period } from '../calendar/asked.ts'
import { periodReply } from '../calendar/replies.ts'
import { defineRoute } from '../http/route.ts'
import { amount, integerParam, userParams } from '../http/schemas.ts'
import { erasedOf, erasedReply } from '../replies/erased.ts'

const place = z.int().meta({ description: 'Starts at 1. No two users share a rank.' })
const users = z.int().meta({ description: 'How many users the board ranks.' })

const standing = <S extends z.ZodType>(score: S) =>
  z.object({
    rank: place.nullable(),
    score: score.nullable(),
    users,
    neighbors: z
      .array(z.object({ rank: place, user_id: z.string(), score }))
      .meta({ description: 'Best first, including the user.' }),
  })

export const userRank = defineRoute({
  method: 'get',
  path: '/users/{user_id}/rank',
  summary:
    "A user's rank and score on both boards at one moment, with the neighbors. Both are null for a user who is not ranked. Ties are broken by user_id, descending, bytewise.",
  params: userParams,
  query: z.object({ around: integerParam(0, 50, 2, 'How many neighbors on either side.'), period }),
  reply: z
    .object({ user_id: z.string(), spend: standing(amount), orders: standing(z.int()), ...erasedReply, ...periodReply })
    .meta({ id: 'UserRank' }),
  refusals: noCalendar,
  handle: async (context, { params: { user_id }, query: { around, period: name } }) => {
    const { redis, partitions, format } = context
    const asked = await askedPeriod(context, name)
    if (asked && !('to' in asked)) return asked
    const { spend, orders } = await readRank(redis, partitions, user_id, around, asked?.period)
    const boards = { spend: standingOf(spend, user_id, format.money), orders: standingOf(orders, user_id) }
    return { user_id, ...boards, ...(await erasedOf(context, user_id)), ...asked }
  },
})

/** @param money turns scores into amounts */
function standingOf({ users, neighbors }: Standing, userId: string, money?: Money) {
  // Another client may have written a fraction.
  const scoreOf = (score: number): number => (money ? money.toAmount(wholeNumberOf(score)) : wholeNumberOf(score))
  const own = neighbors.find((user) => user.userId === userId)
  const shown = neighbors.map(({ rank, userId, score }) => ({
    rank,
    user_id: userId,
    score: scoreOf(score),
  }))
  return { rank: own?.rank ?? null, score: own ? scoreOf(own.score) : null, users, neighbors: shown }
}
