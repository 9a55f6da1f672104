import type { JobType } from 'bullmq'
import type { AnyJob, Queues } from '../../control/job-queues.ts'
import { hasEnded, removeJob, reprocessData } from '../../control/job-queues.ts'
import { identityIn } from '../../order/identity.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mentioning, someText } from './names.ts'
import type { Found, Place } from './place.ts'

/** A job may have an order of 1 MB. */
const pageLength = 20
const states = ['waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed'] as const

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
  for (const state of states) {
    const found = await jobsIn(reprocess, state, (job) => isOf(job) || (hasEnded(state) && names(job)))
    for (const job of found) yield { record: job.id ?? '', remove: () => removeJob(job) }
  }
  for (const { id = '' } of await jobsIn(undo, 'active', ({ data }) => data.dryRun))
    yield { record: id, isPassing: true, remove: async () => false }
  for (const state of ['completed', 'failed'] as const) {
    for (const job of await jobsIn(undo, state, names)) yield { record: job.id ?? '', remove: () => removeJob(job) }
  }
  for (const queue of [reprocess, undo]) yield* findEvents(app.redis, queue, mentions)
}

/** Returns those that are wanted; what is removed while they are read would shift the pages. */
async function jobsIn<J extends AnyJob>(
  queue: { getJobs(types: JobType[], start: number, end: number): Promise<J[]> },
  state: (typeof states)[number],
  isWanted: (job: J) => boolean,
): Promise<J[]> {
  const found: J[] = []
  for (let from = 0, read = pageLength; read === pageLength; from += pageLength) {
    const page = await queue.getJobs([state], from, from + pageLength - 1)
    read = page.length
    found.push(...page.filter(isWanted))
  }
  return found
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
