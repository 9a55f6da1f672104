import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { newJobId, progress, readJob, replayResult, verdict } from '../../control/job-queues.ts'
import { jobsWarning } from '../../control/jobs-alive.ts'
import { identityText } from '../../identity.ts'
import { idempotencyKey } from '../../keys.ts'
import { rejectCodes } from '../../messages.ts'
import { readOutcome, readVerdict } from '../../stages/invalid/outcome.ts'
import { newestId } from '../../stages/invalid/page.ts'
import { type ApiApp, defineRoute, refuse } from '../http/handler.ts'

export const acceptedReply = z
  .object({
    status: z.string(),
    message: z.string(),
    job_id: z.string(),
    warning: z.string().optional().meta({ description: 'While no process runs the role `jobs`: that the job waits.' }),
  })
  .meta({ id: 'Accepted' })

export async function accepted({ ask }: ApiApp, jobId: string): Promise<z.input<typeof acceptedReply>> {
  const warning = await jobsWarning(ask).catch(() => undefined) // the job is there, whatever can be said of it
  return {
    ...{ status: 'accepted', message: 'Order sent for reprocessing.', job_id: jobId },
    ...(warning !== undefined && { warning }),
  }
}

/** As the rules have it. */
const identity = z
  .unknown()
  .refine(
    (value) => identityText(value) !== undefined,
    'must be a non-empty string of at most 256 characters, or an integer of at most 256 digits',
  )
  .meta({ override: { anyOf: [{ type: 'string', minLength: 1, maxLength: 256 }, { type: 'integer' }] } })
const text = z.string().min(1)
const correctedOrder = z
  .looseObject({
    order_id: identity,
    user_id: identity,
    order_timestamp: z.string(),
    order_value: z.number().min(0).max(1_000_000_000),
    items: z.array(
      z.looseObject({ product_id: identity, quantity: z.int().min(0), price_per_unit: z.number().min(0) }),
    ),
    shipping_address: text,
    payment_method: text,
  })
  .meta({ id: 'CorrectedOrder' })

export const reprocessOrder = defineRoute({
  method: 'post',
  path: '/orders/reprocess',
  summary: 'Sends a corrected order through the pipeline; `GET /jobs/{id}` tells what became of it.',
  headers: { 'Idempotency-Key': 'The same key and order within 24 hours are the same job.' },
  body: correctedOrder,
  status: 202,
  reply: acceptedReply,
  refusals: { 409: 'The Idempotency-Key was used with another order.' },
  handle: async (app, { text, header }) => {
    const jobId = await jobIdFor(app, header('idempotency-key'), text)
    if (jobId === undefined) return refuse(409, 'This Idempotency-Key was used with another order: use a new one.')
    // An id that is there already is the same job: BullMQ leaves it as it is.
    await app.queues.reprocess.add('order', { body: text }, { jobId })
    return accepted(app, jobId)
  },
})

/** The limit of one replay; there may be any number of replays. */
const mostReplayed = 1_000_000

export const replayOrders = defineRoute({
  method: 'post',
  path: '/orders/replay',
  summary:
    'Sends orders that were not accepted round again, oldest first; with `dryRun` only says what would pass the rules.',
  body: z
    .object({
      limit: z.int().min(1).max(mostReplayed).default(mostReplayed),
      code: z.enum(rejectCodes).optional(),
      ids: z
        .array(z.string().regex(/^\d{1,16}-\d{1,16}$/))
        .min(1)
        .max(1_000)
        .optional(),
      dryRun: z.boolean().default(false),
    })
    .strict()
    .meta({ id: 'Replay' }),
  status: 202,
  reply: acceptedReply,
  handle: async (app, { body }) => {
    const { ask, partitions, queues } = app
    const jobId = newJobId('replay', randomUUID())
    await queues.replay.add('replay', { ...body, until: await newestId(ask, partitions) }, { jobId })
    return { ...(await accepted(app, jobId)), message: body.dryRun ? 'Dry run accepted.' : 'Replay accepted.' }
  },
})

export const job = defineRoute({
  method: 'get',
  path: '/jobs/{id}',
  summary: 'State and result of a job; of a reprocess job the verdict as soon as the pipeline has one.',
  right: 'orders', // a verdict may quote the order
  params: z.object({ id: z.string().meta({ description: 'Id of the job.' }) }),
  reply: z
    .object({
      id: z.string(),
      queue: z.string(),
      state: z.string(),
      attempts: z.int(),
      progress: progress.nullable(),
      verdict: verdict.nullable(),
      result: z.union([replayResult, verdict]).nullable(),
      failure: z.string().nullable(),
      warning: z
        .string()
        .nullable()
        .meta({ description: 'While no process runs the role `jobs`: that the job waits.' }),
    })
    .meta({ id: 'Job' }),
  refusals: { 404: 'There is no such job.' },
  handle: async ({ ask, partitions, queues }, { params: { id } }) => {
    const found = await readJob(queues, id)
    if (!found) return refuse(404, `There is no job ${id}: of finished ones the last 1,000 are kept, for a week.`)
    const { job, state } = found
    const outcome = await readOutcome(ask, partitions, id)
    const hasVerdict = job.queueName === 'reprocess' && outcome.judged > 0
    return {
      id,
      queue: job.queueName,
      state,
      attempts: job.attemptsMade,
      progress: progress.safeParse(job.progress).data ?? null,
      verdict: hasVerdict ? await readVerdict(ask, partitions, outcome) : null,
      result: job.returnvalue ?? null,
      failure: job.failedReason ?? null,
      warning: (hasEnded(state) ? undefined : await jobsWarning(ask)) ?? null,
    }
  },
})

const hasEnded = (state: string): boolean => state === 'completed' || state === 'failed'

const idempotencySeconds = 86_400

/** The job that the key stands for, a new one without; undefined where it stands for a job with another order. */
async function jobIdFor({ ask }: ApiApp, key: string | undefined, body: string): Promise<string | undefined> {
  const fresh = newJobId('reprocess', randomUUID())
  if (key === undefined) return fresh
  const entry = idempotencyKey(sha256(key))
  const payload = sha256(body)
  if (await ask.set(entry, `${fresh} ${payload}`, 'EX', idempotencySeconds, 'NX')) return fresh
  const [jobId = fresh, knownPayload = payload] = (await ask.get(entry))?.split(' ') ?? []
  return knownPayload === payload ? jobId : undefined
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
