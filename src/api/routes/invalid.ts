import { z } from 'zod'
import { invalidOrder } from '../../messages.ts'
import { readInvalid } from '../../stages/invalid.ts'
import { integerParam } from '../fields.ts'
import { defineRoute, jsonText } from '../route.ts'

export const invalidOrders = defineRoute({
  method: 'get',
  path: '/orders/invalid',
  summary: 'Orders that were not accepted and why, newest first.',
  params: z.object({}),
  query: z.object({ limit: integerParam(1, 1_000, 50, 'How many at most.') }),
  reply: z.array(invalidOrder),
  // The elements are JSON text already; parsing a hostile order only to write it again could overflow the stack.
  handle: async ({ ask, keys }, { query: { limit } }) =>
    jsonText(`[${(await readInvalid(ask, keys, limit)).join(',')}]`),
})
