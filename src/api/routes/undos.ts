import { z } from 'zod'
import { addRedo, addUndo, type Refused } from '../../control/undo/add-undo.ts'
import { windowNow } from '../../control/undo/read-window.ts'
import { readUndo, readUndos, undoReply, undoWhere } from '../../control/undo/undos.ts'
import { OrdersError } from '../../errors.ts'
import { requireOrdersKept } from '../../stages/archive/require-archive.ts'
import { operatorOf } from '../http/access.ts'
import { refuse, refuseField, type Special } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import { jobIdFor } from '../idempotency.ts'
import { accepted, acceptedReply } from './jobs.ts'

const name = z.string().min(1).max(100).meta({ description: 'Names the undo.' })
const params = z.object({ name: z.string().meta({ description: 'Name of the undo.' }) })
const headers = {
  'Idempotency-Key': 'The same key and body within 24 hours are the same job.',
  'X-Operator': 'The name of the operator, for the audit log.',
}
const noUndo = 'There is no undo of this name.'

export const undosRoute = defineRoute({
  method: 'get',
  path: '/undos',
  summary: 'All undos, the newest first: what they took back, and whether they were redone.',
  right: 'orders',
  reply: z.object({ undos: z.array(undoReply) }).meta({ id: 'Undos' }),
  handle: async (context) => ({ undos: await readUndos(context) }),
})

export const undoRoute = defineRoute({
  method: 'get',
  path: '/undos/{name}',
  summary: 'One undo: its window, what it took back, and whether it was redone.',
  right: 'orders',
  params,
  reply: undoReply,
  refusals: { 404: noUndo },
  handle: async (context, { params: { name } }) =>
    (await readUndo(context, name)) ?? refuse(404, `There is no undo ${JSON.stringify(name)}.`),
})

export const undoOrders = defineRoute({
  method: 'post',
  path: '/undos',
  summary:
    'Takes back all orders that were admitted in a window, each once. With `dry_run` it changes nothing and shows what would change. `GET /jobs/{id}` has the result. It needs `ARCHIVE_URL`.',
  headers,
  writes: true,
  action: 'undo',
  body: z
    .object({
      name,
      from: z.string().meta({ description: 'RFC 3339, or hh:mm of today in the zone of the reports.' }),
      to: z
        .string()
        .optional()
        .meta({ description: 'The same, or now; orders that were admitted at this time are not in the window.' }),
      where: undoWhere.optional(),
      dry_run: z.boolean().default(false),
    })
    .strict()
    .meta({ id: 'UndoOrders' }),
  status: 202,
  reply: acceptedReply,
  refusals: { 409: 'The name is taken, there is no archive, or the Idempotency-Key was used with another body.' },
  handle: async (context, { body: { name, from, to, where, dry_run: dryRun }, text, header }) => {
    const unkept = await unlessKept(context)
    if (unkept) return unkept
    const window = await windowNow(context, { from, to }, name)
    if ('field' in window) return refuseField(window.field, window.message)
    const { jobId, refused } = await jobIdFor(context, 'undo', header('idempotency-key'), text)
    if (refused !== undefined) return refuse(409, refused)
    const asked = { name, ...window, where, dryRun }
    const failed = await addUndo(context, context.queues, asked, { by: operatorOf(header), jobId })
    if (failed) return refusedAs(failed)
    return { ...(await accepted(context, jobId)), message: dryRun ? 'Dry run accepted.' : 'Undo accepted.' }
  },
})

export const redoUndo = defineRoute({
  method: 'post',
  path: '/undos/{name}/redo',
  summary: 'Puts back the orders that an undo took back, each once. `GET /jobs/{id}` has the result.',
  params,
  headers,
  writes: true,
  action: 'redo',
  status: 202,
  reply: acceptedReply,
  refusals: { 404: noUndo, 409: 'The undo has not ended, or was redone before, or there is no archive.' },
  handle: async (context, { params: { name }, header }) => {
    const unkept = await unlessKept(context)
    if (unkept) return unkept
    const { jobId, refused } = await jobIdFor(context, 'undo', header('idempotency-key'), `redo ${name}`)
    if (refused !== undefined) return refuse(409, refused)
    const failed = await addRedo(context, context.queues, name, { by: operatorOf(header), jobId })
    if (failed) return refusedAs(failed)
    return { ...(await accepted(context, jobId)), message: 'Redo accepted.' }
  },
})

/** Refuses a job that no process could do. */
async function unlessKept(context: Parameters<typeof requireOrdersKept>[0]): Promise<Special | undefined> {
  try {
    await requireOrdersKept(context)
    return undefined
  } catch (error) {
    if (error instanceof OrdersError && error.code === 'ORD_UNDO') return refuse(409, error.message)
    throw error
  }
}

const refusedAs = ({ refused, isUnknown }: Refused): Special => refuse(isUnknown ? 404 : 409, refused)
