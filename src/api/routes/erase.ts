import { OrdersError } from '../../errors.ts'
import { erase } from '../../stages/erasure/erase.ts'
import { operatorOf } from '../http/access.ts'
import { refuse, type Special } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import { userParams } from '../http/schemas.ts'
import { erasureOf, erasureReply } from '../replies/erasure.ts'

/** A client waits this long: stages that run need a second. */
const waitMs = 10_000

export const eraseUser = defineRoute({
  method: 'delete',
  path: '/users/{user_id}',
  summary:
    'Erases a user: removes all that names them, and moves their totals to an anonymous account. There is no way back. The reply is the receipt.',
  params: userParams,
  headers: { 'X-Operator': 'The name of the operator, for the audit log.' },
  writes: true,
  action: 'erase',
  audited: true,
  reply: erasureReply,
  refusals: { 409: 'Another erasure or a repartition is under way, or no order can have this user.' },
  handle: async (context, { params: { user_id: userId }, header, signal }) => {
    const { queues, archive, format } = context
    const eraser = { by: operatorOf(header), timeoutMs: waitMs }
    try {
      return erasureOf(await erase({ app: context, queues, archive }, userId, eraser, signal), format.money)
    } catch (error) {
      return refusedBy(error)
    }
  },
})

function refusedBy(error: unknown): Special {
  if (error instanceof OrdersError && error.code === 'ORD_USAGE') return refuse(409, error.message)
  throw error
}
