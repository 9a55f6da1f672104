import { z } from 'zod'
import { invalidOrder } from '../../invalid-order.ts'
import { rejectCodes, rejectGroups } from '../../reject-codes.ts'
import { withAllNotes, withNotes } from '../../stages/hints/entry.ts'
import {
  addCorrection,
  discardInvalid as discard,
  entryIdPattern,
  planCorrection,
  refusals,
} from '../../stages/invalid/actions.ts'
import { readInvalidEntry } from '../../stages/invalid/entry.ts'
import { readInvalid } from '../../stages/invalid/page.ts'
import { summarize, withExamples } from '../../stages/invalid/reasons.ts'
import { sumBy } from '../../sums.ts'
import { operatorOf } from '../http/access.ts'
import { csvTable, type Headers, jsonText, refuse } from '../http/reply.ts'
import { type ApiContext, defineRoute } from '../http/route.ts'
import { integerParam } from '../http/schemas.ts'
import { tooManyReads } from '../http/turns.ts'
import { invalidTable } from '../replies/invalid-table.ts'
import { accepted, acceptedReply } from './jobs.ts'

const entryId = z.string().regex(entryIdPattern, 'must be an id such as 1764000000000-0')
const params = z.object({ id: entryId.meta({ description: 'Id of the entry.' }) })
const gone = { 404: refusals.gone }
const operatorHeader = { 'X-Operator': 'The name of the operator, for the audit log.' }

export const invalidOrders = defineRoute({
  method: 'get',
  path: '/orders/invalid',
  summary:
    'Invalid orders and the reasons, newest first. A request scans 2,000 entries or 8 MB at most, so a page may have fewer than `limit` orders, or none. There are more pages as long as a reply has a `Link` to the next one.',
  right: 'orders',
  query: z.object({
    limit: integerParam(1, 1_000, 50, 'The most orders to return.'),
    code: z.enum(rejectCodes).optional().meta({ description: 'Only orders with this code.' }),
    reason: z
      .enum(Object.values(rejectGroups))
      .optional()
      .meta({ description: 'Only orders with this reason, spelled as in the summary.' }),
    user_id: z
      .string()
      .optional()
      .meta({ description: 'Only orders of this user. All entries are scanned, page by page.' }),
    before: entryId.optional().meta({ description: 'Only entries older than this one.' }),
  }),
  reply: z.array(invalidOrder),
  replyHeaders: {
    Link: 'The next page, as `<URL>; rel="next"`, the URL relative to this one; absent on the last page.',
  },
  refusals: tooManyReads,
  csv: 'by handle',
  // The elements are JSON text already. Parsing a hostile order to serialize it again could overflow the stack.
  handle: async (context, { query, signal, client, wantsCsv }) => {
    const inTurn = query.user_id === undefined ? context.turns.list : context.turns.scan
    return inTurn({ signal, client }, async () => {
      const filter = { ...query, userId: query.user_id, signal }
      const { found, next } = await readInvalid(context, filter)
      const hinted = await withAllNotes(found, context)
      const headers: Headers = next === undefined ? {} : { Link: linkTo({ ...query, before: next }) }
      if (wantsCsv) return csvTable(await invalidTable(found, hinted, context.format), headers)
      return jsonText(`[${hinted.join(',')}]`, headers)
    })
  },
})

/** Makes a link relative to the URL of the request, so that a proxy can serve it at any path. */
function linkTo(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return `<?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, `${value}`]))}>; rel="next"`
}

export const invalidSummary = defineRoute({
  method: 'get',
  path: '/orders/invalid/summary',
  summary: 'Invalid orders by reason: count, first and last time, and an example of each.',
  right: 'orders',
  reply: z
    .object({
      total: z.int(),
      codes: z.record(z.string(), z.int()),
      reasons: z.array(
        z.object({
          code: z.enum(rejectCodes),
          reason: z.string(),
          count: z.int(),
          first: z.iso.datetime(),
          last: z.iso.datetime(),
          example: invalidOrder,
        }),
      ),
    })
    .meta({ id: 'InvalidSummary' }),
  handle: async ({ share }) => jsonText(await share(readSummary)),
})

async function readSummary(context: ApiContext): Promise<string> {
  const { redis, partitions } = context
  const groups = await withExamples(redis, await summarize(redis, partitions))
  const codes: Record<string, number> = {}
  for (const { code, count } of groups) codes[code] = (codes[code] ?? 0) + count
  const total = sumBy(groups, ({ count }) => count)
  const reasons = groups.map(({ example, ...group }) => {
    return `${JSON.stringify(group).slice(0, -1)},"example":${withNotes(example.json, context)}}`
  })
  return `{"total":${total},"codes":${JSON.stringify(codes)},"reasons":[${reasons.join(',')}]}`
}

export const invalidEntry = defineRoute({
  method: 'get',
  path: '/orders/invalid/{id}',
  summary: 'One invalid order.',
  right: 'orders',
  params,
  reply: invalidOrder,
  refusals: gone,
  handle: async (context, { params: { id } }) => {
    const entry = await readInvalidEntry(context.redis, context.partitions, id)
    return entry ? jsonText(withNotes(entry.json, context)) : refuse(404, gone[404])
  },
})

export const retryInvalid = defineRoute({
  method: 'put',
  path: '/orders/invalid/{id}',
  summary: 'Replaces an invalid order and requeues it.',
  params,
  headers: operatorHeader,
  writes: true,
  action: 'edit',
  body: z.looseObject({}).meta({ id: 'AnyOrder', description: 'The order. The rules check it.' }),
  status: 202,
  reply: acceptedReply,
  refusals: { ...gone, 409: refusals.admitted },
  handle: async (context, { params: { id }, text, header }) => {
    const planned = await planCorrection(context, id, { body: text, by: operatorOf(header) })
    if ('refused' in planned) return refuse(planned.refused === 'gone' ? 404 : 409, planned.reason)
    await addCorrection(context.queues, planned)
    return accepted(context, planned.jobId)
  },
})

export const discardInvalid = defineRoute({
  method: 'delete',
  path: '/orders/invalid/{id}',
  summary: 'Discards an invalid order: it moves to `orders:discarded` with the reason.',
  params,
  headers: operatorHeader,
  writes: true,
  action: 'discard',
  body: z.object({ reason: z.string().min(1).max(1_000) }).meta({ id: 'Discard' }),
  reply: z.object({ status: z.string(), id: z.string() }).meta({ id: 'Discarded' }),
  refusals: gone,
  handle: async (context, { params: { id }, body: { reason }, header }) => {
    const discarded = await discard(context, id, { reason, by: operatorOf(header) })
    return discarded ? { status: 'discarded', id } : refuse(404, gone[404])
  },
})
