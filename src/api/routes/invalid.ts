import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { newJobId } from '../../control/job-queues.ts'
import { invalidOrder, rejectCodes, rejectGroups } from '../../messages.ts'
import { withHint, withHints } from '../../stages/hints/entry.ts'
import { readInvalid, readInvalidEntry, summarize, withExamples } from '../../stages/invalid/page.ts'
import { discardEntry } from '../../stages/invalid/requeue.ts'
import { shared } from '../cached.ts'
import { operatorOf } from '../http/access.ts'
import { type ApiApp, defineRoute, jsonText, refuse } from '../http/handler.ts'
import { integerParam } from '../http/schemas.ts'
import { listInTurn, scanInTurn, tooManyReads } from '../http/turns.ts'
import { accepted, acceptedReply } from './jobs.ts'

const entryId = z.string().regex(/^\d{1,16}-\d{1,16}$/, 'must be an id such as 1764000000000-0')
const params = z.object({ id: entryId.meta({ description: 'Id of the entry.' }) })
const gone = { 404: 'There is no such entry: it was replayed or discarded.' }
/** Another body would be a duplicate or a conflict, and the order that was admitted would never be counted. */
const admitted = { 409: 'This order is admitted and was rejected by a later stage: replay it as it is.' }
const operatorHeader = { 'X-Operator': 'Who does it, for the record.' }

export const invalidOrders = defineRoute({
  method: 'get',
  path: '/orders/invalid',
  summary:
    'Orders that were not accepted and why, newest first. A reply looks at 2,000 entries or 8 MB at most: it may be shorter than `limit`, or empty, and there are more as long as it has a `Link` to the next page.',
  right: 'orders',
  query: z.object({
    limit: integerParam(1, 1_000, 50, 'How many at most.'),
    code: z.enum(rejectCodes).optional().meta({ description: 'Only of this code.' }),
    reason: z
      .enum(Object.values(rejectGroups))
      .optional()
      .meta({ description: 'Only of this reason, as the summary has it.' }),
    user_id: z.string().optional().meta({ description: 'Only of this user; all entries are looked at, page by page.' }),
    before: entryId.optional().meta({ description: 'Only entries older than this one.' }),
  }),
  reply: z.array(invalidOrder),
  replyHeaders: {
    Link: 'The next page, as `<URL>; rel="next"`, the URL relative to this one; absent on the last page.',
  },
  refusals: tooManyReads,
  // The elements are JSON text already; parsing a hostile order only to write it again could overflow the stack.
  handle: async ({ ask, partitions }, { query, signal, client }) => {
    const inTurn = query.user_id === undefined ? listInTurn : scanInTurn
    return inTurn({ signal, client }, async () => {
      const filter = { ...query, userId: query.user_id, signal }
      const { found, next } = await readInvalid(ask, partitions, filter)
      const hinted = await withHints(found)
      return jsonText(`[${hinted.join(',')}]`, next === undefined ? {} : { Link: linkTo({ ...query, before: next }) })
    })
  },
})

/** Relative to the URL of the request: a proxy may serve it at a path of its own. */
function linkTo(query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return `<?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, `${value}`]))}>; rel="next"`
}

export const invalidSummary = defineRoute({
  method: 'get',
  path: '/orders/invalid/summary',
  summary: 'How many orders were not accepted for which reason, since when, with an example of each.',
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
  handle: async (app) => jsonText(await readSummary(app)),
})

const readSummary = shared(async ({ ask, partitions }: ApiApp): Promise<string> => {
  const groups = await withExamples(ask, await summarize(ask, partitions))
  const codes: Record<string, number> = {}
  for (const { code, count } of groups) codes[code] = (codes[code] ?? 0) + count
  const total = groups.reduce((sum, { count }) => sum + count, 0)
  const reasons = groups.map(({ example, ...group }) => {
    return `${JSON.stringify(group).slice(0, -1)},"example":${withHint(example.json)}}`
  })
  return `{"total":${total},"codes":${JSON.stringify(codes)},"reasons":[${reasons.join(',')}]}`
})

export const invalidEntry = defineRoute({
  method: 'get',
  path: '/orders/invalid/{id}',
  summary: 'One order that was not accepted.',
  right: 'orders',
  params,
  reply: invalidOrder,
  refusals: gone,
  handle: async ({ ask, partitions }, { params: { id } }) => {
    const entry = await readInvalidEntry(ask, partitions, id)
    return entry ? jsonText(withHint(entry.json)) : refuse(404, gone[404])
  },
})

export const retryInvalid = defineRoute({
  method: 'put',
  path: '/orders/invalid/{id}',
  summary: 'Puts another order in the place of one that was not accepted, and sends it round again.',
  params,
  headers: operatorHeader,
  body: z.looseObject({}).meta({ id: 'AnyOrder', description: 'The order; the rules judge it.' }),
  status: 202,
  reply: acceptedReply,
  refusals: { ...gone, ...admitted },
  handle: async (app, { params: { id }, text, header }) => {
    const { ask, partitions, queues } = app
    const entry = await readInvalidEntry(ask, partitions, id)
    if (!entry) return refuse(404, gone[404])
    if (entry.record.stage !== undefined) return refuse(409, admitted[409])
    const jobId = newJobId('reprocess', randomUUID())
    const edit = { invalidId: id, by: operatorOf(header) }
    await queues.reprocess.add('edit', { body: text, edit }, { jobId })
    return accepted(app, jobId)
  },
})

export const discardInvalid = defineRoute({
  method: 'delete',
  path: '/orders/invalid/{id}',
  summary: 'Gives an order up: it is moved to `orders:discarded` with the reason.',
  params,
  headers: operatorHeader,
  body: z.object({ reason: z.string().min(1).max(1_000) }).meta({ id: 'Discard' }),
  reply: z.object({ status: z.string(), id: z.string() }).meta({ id: 'Discarded' }),
  refusals: gone,
  handle: async (app, { params: { id }, body: { reason }, header }) => {
    const entry = await readInvalidEntry(app.ask, app.partitions, id)
    const why = { reason, by: operatorOf(header) }
    const discarded = entry && (await discardEntry({ ...app, redis: app.ask }, entry, why))
    return discarded ? { status: 'discarded', id } : refuse(404, gone[404])
  },
})
