import { z } from 'zod'
import { minor } from '../../api/replies/status.ts'
import type { Found } from './adopt.ts'

const board = z.object({
  users: z.int(),
  /** Minor units, or orders; null where a score is no plain decimal. */
  sum: z.number().nullable(),
  wrong: z.int(),
})

/** The reply of `orders adopt --json`: the data of the Python system, and what became of it. Sums beyond 2^53 are rounded. */
export const adoptionReply = z.object({
  nothing: z.boolean(),
  survey: z.object({
    users: z.object({
      count: z.int(),
      orders: z.number(),
      revenue_minor: minor,
      both: z.int(),
      ours: z.int(),
    }),
    /** As stored; null where there is no such field. */
    global: z.object({ orders: z.string().nullable(), revenue: z.string().nullable() }),
    spend: board,
    orders: board,
    /** By code. */
    invalid: z.record(z.string(), z.int()),
    problems: z.array(z.string()),
    problem_count: z.int(),
  }),
  differences: z.array(z.string()),
  /** Null if nothing was converted. */
  adopted: z.object({ users: z.int(), orders: z.number(), revenue_minor: minor, invalid: z.int() }).nullable(),
})

export function adoptionOf({ nothing, survey, differences, adopted }: Found): z.input<typeof adoptionReply> {
  const { users, global, spend, orders, invalid, problems, problemCount } = survey
  const summed = <T extends { orders: bigint; minor: bigint }>({ orders, minor, ...rest }: T) => ({
    ...rest,
    ...{ orders: Number(orders), revenue_minor: Number(minor) },
  })
  const boardOf = ({ sum, ...board }: typeof spend) => ({ ...board, sum: sum === undefined ? null : Number(sum) })
  return {
    nothing,
    survey: {
      users: summed(users),
      global: { orders: global.orders ?? null, revenue: global.revenue ?? null },
      spend: boardOf(spend),
      orders: boardOf(orders),
      invalid: Object.fromEntries(invalid),
      problems: [...problems],
      problem_count: problemCount,
    },
    differences: [...differences],
    adopted: adopted ? summed(adopted) : null,
  }
}
