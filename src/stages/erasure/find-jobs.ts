import type { JobType } from 'bullmq'
import type { AnyJob, Queues } from '../../control/job-queues.ts'
import { removeJob, reprocessData } from '../../control/job-queues.ts'
import { identityIn } from '../../order/identity.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mentioning, someText } from './names.ts'
import type { Found, Place } from './place.ts'

/** A job may have an order of 1 MB. */
const pageLength = 20
const ended = ['completed', 'failed'] as const
const states = ['waiting', 'prioritized', 'delayed', 'active', ...ended] as const

/**
 * Finds jobs that hold an order of the user, or name the user in their result, and the events of their queues that mention the
 * user. One that runs must end first: so must the dry run of an undo, whose result names users by their ranks.
 */
export const jobsPlace: Place = async function* ({ app, queues: { reprocess, undo }, userId }) {
  const mentions = mentioning(userId)
  const names = ({ data, name, returnvalue, failedReason, stacktrace }: AnyJob): boolean =>
    someText([data, name, returnvalue, failedReason, stacktrace], mentions)
  const isOf = (job: AnyJob): boolean => {
    const { data } = reprocessData.safeParse(job.data)
    return data !== undefined && identityIn(data.body, app.format).userId === userId
  }
  for await (const job of jobsIn(reprocess, states)) {
    if (isOf(job) || (job.finishedOn !== undefined && names(job))) yield foundJob(job)
  }
  for await (const { id = '', data } of jobsIn(undo, ['active']))
    if (data.dryRun) yield { record: id, isPassing: true, remove: async () => false }
  for await (const job of jobsIn(undo, ended)) if (names(job)) yield foundJob(job)
  for (const queue of [reprocess, undo]) yield* findEvents(app.redis, queue, mentions)
}

const foundJob = (job: AnyJob): Found => ({ record: job.id ?? '', remove: () => removeJob(job) })

interface JobsOf<J> {
  getRanges(states: JobType[], start: number, end: number): Promise<string[]>
  getJob(id: string): Promise<J | undefined>
}

/** Yields the jobs that are in these states at one moment: one that moves on while they are read is not missed. */
async function* jobsIn<J>(queue: JobsOf<J>, states: readonly JobType[]): AsyncGenerator<J> {
  const ids = await queue.getRanges([...states], 0, -1)
  for (let from = 0; from < ids.length; from += pageLength) {
    const page = await Promise.all(ids.slice(from, from + pageLength).map((id) => queue.getJob(id)))
    for (const job of page) if (job) yield job
  }
}

async function* findEvents(
  redis: RedisClient,
  queue: Queues['reprocess'] | Queues['undo'],
  mentions: (text: string) => boolean,
): AsyncGenerator<Found> {
  const stream = queue.toKey('events')
  for (let after = '-', read = eventPage; read === eventPage; ) {
    const page = await redis.xrange(stream, after, '+', 'COUNT', eventPage)
    for (const [id, fields] of page) {
      if (!fields?.some(mentions)) continue
      yield { record: `event ${queue.name} ${id}`, remove: async () => (await redis.xdel(stream, id)) >= 0 }
    }
    read = page.length
    after = `(${page.at(-1)?.[0] ?? ''}`
  }
}

const eventPage = 500
