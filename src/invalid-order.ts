import { z } from 'zod'
import { envelope, history } from './messages.ts'
import { rejectCodes } from './reject-codes.ts'

/** Made when the order is read, and not kept: see src/stages/hints. */
export const hint = z.string().meta({
  description:
    'One sentence next to the reason: what was found, where, and what to send. Absent where unsure, and beyond the first 2 MB of a page.',
})

/** Made when the order is read, by RETRY_CODES and RETRY_DELAYS. */
export const retry = z
  .object({
    next: z.iso.datetime().optional().meta({
      description: 'When the order is retried by itself. A time that has passed: as soon as the role `jobs` runs.',
    }),
    given_up: z.literal(true).optional().meta({ description: 'Its retries are used up: it is only replayed by hand.' }),
  })
  .meta({ id: 'Retry', description: 'Absent for an order that is never retried by itself.' })
export type Retry = z.output<typeof retry>

/** An element of the invalid channel as the API shows it. */
export const invalidOrder = z
  .object({
    id: z.string().meta({ description: 'Entry id in the stream `orders:invalid`.' }),
    order: z
      .looseObject({})
      .nullable()
      .meta({ description: 'The order as it was sent; null if it is not a JSON object.' }),
    raw: z.string().optional().meta({ description: 'The exact text received, where `order` is null.' }),
    raw_base64: z.string().optional().meta({
      description: 'The fields of a stream entry that is no text, names and values alternating, each in base64.',
    }),
    code: z.enum(rejectCodes),
    reason: z.string(),
    hint: hint.optional(),
    ts: z.iso.datetime().meta({ description: 'When it was rejected.' }),
    stage: z.string().optional().meta({ description: 'The stage that rejected it, where it was not validate.' }),
    attempts: z.int().meta({ description: 'How often it was rejected, this time included.' }),
    first_reason: z.string().optional().meta({ description: 'Why it was rejected the first time, after a replay.' }),
    first_ts: z.string().optional().meta({ description: 'When it was rejected the first time, after a replay.' }),
    edits: history.shape.edits,
    envelope: envelope.optional(),
    retry: retry.optional(),
  })
  .meta({ id: 'InvalidOrder' })
