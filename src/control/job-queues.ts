import { type ConnectionOptions, type Job, Queue } from 'bullmq'
import { z } from 'zod'
import { jobsPrefix } from '../keys.ts'
import { hint, rejectCodes } from '../messages.ts'
import type { RedisClient } from '../redis/client.ts'

/** Sends one corrected order round: a new one, or in place of a rejected one. */
export const reprocessData = z.object({
  body: z.string(),
  /** The rejected record it takes the place of, and who corrected it. */
  edit: z.object({ invalidId: z.string(), by: z.string() }).optional(),
})
export type ReprocessData = z.output<typeof reprocessData>

/** Sends rejected orders round again, oldest first, none that is newer than `until`. */
export const replayData = z.object({
  limit: z.int(),
  code: z.enum(rejectCodes).optional(),
  ids: z.array(z.string()).optional(),
  dryRun: z.boolean(),
  until: z.string(),
})
export type ReplayData = z.output<typeof replayData>

export const verdicts = ['admitted', 'duplicate', 'conflict', 'rejected'] as const

/** What the pipeline made of one order. */
export const verdict = z
  .object({
    verdict: z.enum(verdicts),
    code: z.enum(rejectCodes).optional(),
    reason: z.string().optional(),
    hint: hint.optional(),
    invalid_id: z.string().optional().meta({ description: 'Where it is in the invalid channel now.' }),
  })
  .meta({ id: 'Verdict' })
export type OrderVerdict = z.output<typeof verdict>

/** What a replay came to. After a dry run, `admitted` are those that keep the rules; nothing was sent. */
export const replayResult = z
  .object({
    dry_run: z.boolean(),
    sent: z.int(),
    admitted: z.int(),
    duplicate: z.int(),
    conflict: z.int(),
    returned: z.int().meta({ description: 'Put back before the later stage that had rejected them.' }),
    rejected: z.record(z.string(), z.int()).meta({ description: 'Orders by code.' }),
  })
  .meta({ id: 'ReplayResult' })
export type ReplayResult = z.output<typeof replayResult>

export const progress = z.object({ done: z.int(), total: z.int() })
export type JobProgress = z.output<typeof progress>

export type ReprocessJob = Job<ReprocessData, OrderVerdict>
export type ReplayJob = Job<ReplayData, ReplayResult>

export interface Queues extends AsyncDisposable {
  readonly reprocess: Queue<ReprocessData, OrderVerdict>
  readonly replay: Queue<ReplayData, ReplayResult>
}

export const queueNames = ['reprocess', 'replay'] as const

/** BullMQ types a connection by an ioredis of its own choice; it is ours. */
export const bullConnection = (redis: RedisClient): { connection: ConnectionOptions; prefix: string } => ({
  connection: redis as ConnectionOptions,
  prefix: jobsPrefix,
})

/** An attempt fails when Redis is away or no stage judges: 1, 2, 4 s later there is hope. */
const defaultJobOptions = {
  attempts: 4,
  backoff: { type: 'exponential', delay: 1_000 },
  // Failed ones are kept until somebody has looked. 1,000: a job may carry an order of 1 MB.
  removeOnComplete: { age: 7 * 86_400, count: 1_000 },
  removeOnFail: false,
}

/** The queues on a connection of the caller's. */
export function openQueues(redis: RedisClient): Queues {
  const options = { ...bullConnection(redis), defaultJobOptions }
  const reprocess = new Queue<ReprocessData, OrderVerdict>('reprocess', options)
  const replay = new Queue<ReplayData, ReplayResult>('replay', options)
  for (const queue of [reprocess, replay]) queue.on('error', () => {}) // the connection reports the same outage
  const close = async (): Promise<void> => void (await Promise.allSettled([reprocess.close(), replay.close()]))
  return { reprocess, replay, [Symbol.asyncDispose]: close }
}

/** A job's id begins with its queue's name: one id leads to the job. */
export const newJobId = (queue: (typeof queueNames)[number], unique: string): string => `${queue}-${unique}`

const jobId = /^(reprocess|replay)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const isJobId = (id: string): boolean => jobId.test(id)

/**
 * A job and its state. The state is read first: of a job that completes in between the result may be there already, but
 * a job that is said to be completed has its result.
 */
export async function readJob(
  queues: Queues,
  id: string,
): Promise<{ job: ReprocessJob | ReplayJob; state: string } | undefined> {
  const name = queueNames.find((queue) => id.startsWith(`${queue}-`))
  if (!name || !isJobId(id)) return undefined
  const state = await queues[name].getJobState(id)
  const job = (await queues[name].getJob(id)) as ReprocessJob | ReplayJob | undefined
  return job && { job, state }
}
