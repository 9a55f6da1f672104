import { type ConnectionOptions, type Job, Queue } from 'bullmq'
import { z } from 'zod'
import { messageOf } from '../errors.ts'
import { hint } from '../invalid-order.ts'
import { jobsPrefix } from '../keys.ts'
import { verdicts } from '../messages.ts'
import type { RedisClient } from '../redis/client.ts'
import { rejectCodes } from '../reject-codes.ts'
import { sum } from '../sums.ts'
import type { UndoData, UndoResult } from './undo/undo-job.ts'

/** Queues one corrected order: a new one, or in place of a rejected one. */
export const reprocessData = z.object({
  body: z.string(),
  /** The rejected record that it replaces, and who corrected it. */
  edit: z.object({ invalidId: z.string(), by: z.string() }).optional(),
})
export type ReprocessData = z.output<typeof reprocessData>

/** Requeues rejected orders, oldest first, none newer than `until`. */
export const replayData = z.object({
  limit: z.int(),
  code: z.enum(rejectCodes).optional(),
  ids: z.array(z.string()).optional(),
  dryRun: z.boolean(),
  until: z.string(),
})
export type ReplayData = z.output<typeof replayData>

/** Brings messages of the dead-letter queue to `orders:raw`, at most `rate` a second. */
export const redriveData = z.object({ limit: z.int(), rate: z.int().optional(), dryRun: z.boolean() })
export type RedriveData = z.output<typeof redriveData>

/** The pipeline's verdict on one order. */
export const verdict = z
  .object({
    verdict: z.enum(verdicts),
    code: z.enum(rejectCodes).optional(),
    reason: z.string().optional(),
    hint: hint.optional(),
    invalid_id: z.string().optional().meta({ description: 'Its id in the invalid channel now.' }),
  })
  .meta({ id: 'Verdict' })
export type OrderVerdict = z.output<typeof verdict>

/**
 * Result of a replay or a redrive. After a dry run nothing was sent: `admitted` are those that keep the rules, `returned`
 * those that the later stage that had rejected them would pass.
 */
export const replayResult = z
  .object({
    dry_run: z.boolean(),
    cancelled: z
      .boolean()
      .optional()
      .meta({ description: 'Cancelled: orders that it has not sent stay where they were.' }),
    sent: z.int(),
    admitted: z.int(),
    corrected: z.int().optional().meta({ description: 'Corrections of orders, if there were any.' }),
    duplicate: z.int(),
    conflict: z.int(),
    returned: z.int().meta({
      description:
        'Returned to the later stage that had rejected them. After a dry run: those that this stage would pass.',
    }),
    rejected: z.record(z.string(), z.int()).meta({ description: 'Orders by code.' }),
  })
  .meta({ id: 'ReplayResult' })
export type ReplayResult = z.output<typeof replayResult>

export const progressSchema = z.object({ done: z.int(), total: z.int() })
export type JobProgress = z.output<typeof progressSchema>

export type ReprocessJob = Job<ReprocessData, OrderVerdict>
export type ReplayJob = Job<ReplayData, ReplayResult>

export type RedriveJob = Job<RedriveData, ReplayResult>
export type UndoJob = Job<UndoData, UndoResult>
export type AnyJob = ReprocessJob | ReplayJob | RedriveJob | UndoJob

export interface Queues extends AsyncDisposable {
  readonly reprocess: Queue<ReprocessData, OrderVerdict>
  readonly replay: Queue<ReplayData, ReplayResult>
  readonly redrive: Queue<RedriveData, ReplayResult>
  readonly undo: Queue<UndoData, UndoResult>
}

export const queueNames = ['reprocess', 'replay', 'redrive', 'undo'] as const

/** BullMQ types a connection by its own version of ioredis; this is ours. */
export const bullConnection = (redis: RedisClient): { connection: ConnectionOptions; prefix: string } => ({
  connection: redis as ConnectionOptions,
  prefix: jobsPrefix,
})

/** An attempt fails while Redis is away or no stage runs: retried after 1, 2 and 4 s. */
const defaultJobOptions = {
  attempts: 4,
  backoff: { type: 'exponential', delay: 1_000 },
  // Failed jobs are kept until an operator has seen them. 1,000: a job may carry an order of 1 MB.
  removeOnComplete: { age: 7 * 86_400, count: 1_000 },
  removeOnFail: false,
}

/** Opens the queues on the caller's connection. */
export function openQueues(redis: RedisClient): Queues {
  const options = { ...bullConnection(redis), defaultJobOptions }
  const reprocess = new Queue<ReprocessData, OrderVerdict>('reprocess', options)
  const replay = new Queue<ReplayData, ReplayResult>('replay', options)
  const redrive = new Queue<RedriveData, ReplayResult>('redrive', options)
  const undo = new Queue<UndoData, UndoResult>('undo', options)
  const all = [reprocess, replay, redrive, undo]
  for (const queue of all) queue.on('error', () => {}) // the connection reports the same outage
  const close = async (): Promise<void> => void (await Promise.allSettled(all.map((queue) => queue.close())))
  return { reprocess, replay, redrive, undo, [Symbol.asyncDispose]: close }
}

/** Makes a job id that begins with its queue's name: the id alone leads to the job. */
export const newJobId = (queue: (typeof queueNames)[number], unique: string): string => `${queue}-${unique}`

const jobId = /^(reprocess|replay|redrive|undo)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const isJobId = (id: string): boolean => jobId.test(id)

export const hasEnded = (state: string): boolean => state === 'completed' || state === 'failed'

export interface FoundJob {
  readonly job: AnyJob
  readonly state: string
}

/** Returns whether a job ended because it was cancelled: it has completed, and its result says so. */
export function wasCancelled({ job: { returnvalue }, state }: FoundJob): boolean {
  if (state !== 'completed' || returnvalue === null || returnvalue === undefined) return false
  return 'verdict' in returnvalue ? returnvalue.verdict === 'cancelled' : returnvalue.cancelled === true
}

/**
 * Reads a job and its state. The state is read first, so that a job reported as completed always has its result.
 */
export async function readJob(queues: Queues, id: string): Promise<FoundJob | undefined> {
  const name = queueNames.find((queue) => id.startsWith(`${queue}-`))
  if (!name || !isJobId(id)) return undefined
  const state = await queues[name].getJobState(id)
  const job = (await queues[name].getJob(id)) as AnyJob | undefined
  return job && { job, state }
}

export const jobStates = ['waiting', 'active', 'delayed', 'failed'] as const
export type JobCounts = Readonly<Record<(typeof jobStates)[number], number>>

/** Counts the jobs of each queue that have not completed. */
export async function countJobs(queues: Queues): Promise<(readonly [queue: string, counts: JobCounts])[]> {
  const count = async (name: (typeof queueNames)[number]): Promise<readonly [string, JobCounts]> => {
    const found = await queues[name].getJobCounts(...jobStates, 'prioritized')
    const { active = 0, delayed = 0, failed = 0, ...waiting } = found // those of a queue that is paused wait, too
    return [name, { waiting: sum(Object.values(waiting)), active, delayed, failed }]
  }
  return Promise.all(queueNames.map(count))
}

const listedStates = ['active', 'waiting', 'prioritized', 'delayed', 'failed', 'completed'] as const

/** Reads the newest jobs of all queues, newest first. */
export async function listJobs(queues: Queues, limit: number): Promise<FoundJob[]> {
  const lists = queueNames.flatMap((name) =>
    listedStates.map(async (state) => {
      const jobs = (await queues[name].getJobs([state], 0, limit - 1)) as AnyJob[]
      return jobs.map((job) => ({ job, state }))
    }),
  )
  const found = new Map<string | undefined, FoundJob>()
  // The lists are read one after another, so a job that moves on is in two of them: the later state counts.
  for (const one of (await Promise.all(lists)).flat()) found.set(one.job.id, one)
  return [...found.values()].sort((one, other) => other.job.timestamp - one.job.timestamp).slice(0, limit)
}

/** Names the kind of a job: each queue has two or three. */
export function kindOf({
  queueName,
  data,
}: AnyJob): 'replay' | 'redrive' | 'undo' | 'redo' | 'dry run' | 'edit' | 'order' {
  if (queueName === 'reprocess') return 'edit' in data && data.edit ? 'edit' : 'order'
  if ('dryRun' in data && data.dryRun) return 'dry run'
  if ('redo' in data) return data.redo ? 'redo' : 'undo'
  return queueName === 'redrive' ? 'redrive' : 'replay'
}

/** Returns false if a worker holds the job. That worker, or the next one, ends it. */
export async function removeJob(job: AnyJob): Promise<boolean> {
  try {
    await job.remove()
    return true
  } catch (error) {
    if (messageOf(error).includes('locked by another worker')) return false
    throw error
  }
}
