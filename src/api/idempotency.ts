import { createHash, randomUUID } from 'node:crypto'
import { newJobId, type queueNames } from '../control/job-queues.ts'
import { idempotencyKey } from '../keys.ts'
import { readOutcome } from '../stages/invalid/outcome.ts'
import type { ApiContext } from './http/route.ts'

const idempotencySeconds = 86_400

type JobId =
  | { readonly jobId: string; readonly refused?: undefined }
  | { readonly jobId?: undefined; readonly refused: string }

/** Returns the job of an Idempotency-Key, a new one without a key, or why the key cannot be used for this body. */
export async function jobIdFor(
  { redis, partitions }: ApiContext,
  queue: (typeof queueNames)[number],
  key: string | undefined,
  body: string,
): Promise<JobId> {
  const fresh = newJobId(queue, randomUUID())
  if (key === undefined) return { jobId: fresh }
  const entry = idempotencyKey(sha256(key))
  const payload = sha256(body)
  if (await redis.set(entry, `${fresh} ${payload}`, 'EX', idempotencySeconds, 'NX')) return { jobId: fresh }
  const [jobId = fresh, knownPayload = payload] = (await redis.get(entry))?.split(' ') ?? []
  if (knownPayload !== payload)
    return { refused: `This Idempotency-Key was used with another ${subjects[queue]}: use a new one.` }
  const { cancelled } = await readOutcome(redis, partitions, jobId)
  return cancelled ? { refused: 'The job of this Idempotency-Key was cancelled: use a new one.' } : { jobId }
}

const subjects = { reprocess: 'order', replay: 'replay', redrive: 'redrive', undo: 'undo' } as const

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
