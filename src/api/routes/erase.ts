import { z } from 'zod'
import { OrdersError } from '../../errors.ts'
import { openDurable } from '../../ingest/proof/durable.ts'
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
  query: z.object({
    archive: z.literal('gone').optional().meta({
      description:
        'Says that the archive that was kept is not there any more: it is not searched, and the receipt says so.',
    }),
    unknown: z.literal('erase').optional().meta({
      description: 'Erases a user whom nothing names, too: all future messages of the id are refused.',
    }),
  }),
  headers: { 'X-Operator': 'The name of the operator, for the audit log.' },
  writes: true,
  action: 'erase',
  audited: true,
  reply: erasureReply,
  refusals: {
    404: 'Nothing names the user, who was not erased before: check the id.',
    409: 'Another erasure or a repartition is under way, no order can have this user, or the archive is not gone.',
    503: 'Redis does not answer, the archive is not there, or what was written is not durable yet: erase again.',
  },
  handle: async (context, { params: { user_id: userId }, query, header, signal }) => {
    const { queues, format } = context
    const archive = query.archive ?? context.archive
    const eraser = { by: operatorOf(header), timeoutMs: waitMs, takesUnknown: query.unknown === 'erase' }
    try {
      const receipt = await erase({ app: context, queues, archive, openDurable }, userId, eraser, signal)
      return erasureOf(receipt, format.money)
    } catch (error) {
      return refusedBy(error)
    }
  },
})

/** Something is missing that must be there; then the same request finishes the erasure. */
const unfinished: readonly string[] = ['ORD_ARCHIVE', 'ORD_CONFIG', 'ORD_NOT_DURABLE']

function refusedBy(error: unknown): Special {
  if (!(error instanceof OrdersError)) throw error
  if (error.code === 'ORD_UNKNOWN_USER') return refuse(404, error.message)
  if (error.code === 'ORD_USAGE') return refuse(409, error.message)
  if (unfinished.includes(error.code)) return refuse(503, error.message)
  throw error
}
