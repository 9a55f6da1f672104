import { z } from 'zod'
import { addRedrive, maxRedriven, maxRedriveRate, redriveWarning } from '../../control/add-redrive.ts'
import { operatorOf } from '../http/access.ts'
import { refuse } from '../http/reply.ts'
import { defineRoute } from '../http/route.ts'
import { jobIdFor } from '../idempotency.ts'
import { accepted, acceptedReply } from './jobs.ts'

export const redriveLetters = defineRoute({
  method: 'post',
  path: '/dlq/redrive',
  summary:
    'Brings the messages of the dead-letter queue to `orders:raw`, as the bridge does. With `dryRun` it judges up to 1,000 of them and changes nothing. `GET /jobs/{id}` has the result.',
  headers: {
    'Idempotency-Key': 'The same key and body within 24 hours are the same job.',
    'X-Operator': 'The name of the operator, for the audit log.',
  },
  writes: true,
  action: 'redrive',
  body: z
    .object({
      limit: z
        .int()
        .min(1)
        .max(maxRedriven)
        .default(maxRedriven)
        .meta({ description: 'The most orders to take; those of one message stay together.' }),
      rate: z.int().min(1).max(maxRedriveRate).optional().meta({ description: 'The most messages a second.' }),
      dryRun: z.boolean().default(false),
    })
    .strict()
    .meta({ id: 'Redrive' }),
  status: 202,
  reply: acceptedReply,
  refusals: { 409: 'The Idempotency-Key was used with another body, or its job was cancelled.' },
  handle: async (context, { body, text, header }) => {
    const { jobId, refused } = await jobIdFor(context, 'redrive', header('idempotency-key'), text)
    if (refused !== undefined) return refuse(409, refused)
    await addRedrive(context.queues, jobId, body, operatorOf(header))
    const warning = await redriveWarning(context, body).catch(() => undefined) // the job is accepted all the same
    const message = body.dryRun ? 'Dry run accepted.' : 'Redrive accepted.'
    return { ...(await accepted(context, jobId)), message, ...(warning !== undefined && { warning }) }
  },
})
