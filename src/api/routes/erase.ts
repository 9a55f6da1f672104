import { erase } from '../../stages/erasure/erase.ts'
import { operatorOf } from '../http/access.ts'
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
  handle: async (context, { params: { user_id: userId }, header, signal }) => {
    const eraser = { by: operatorOf(header), timeoutMs: waitMs }
    const receipt = await erase(
      { app: context, queues: context.queues, archive: context.archive },
      userId,
      eraser,
      signal,
    )
    return erasureOf(receipt, context.format.money)
  },
})
