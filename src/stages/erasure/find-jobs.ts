import type { AnyJob } from '../../control/job-queues.ts'
import { hasEnded, reprocessData } from '../../control/job-queues.ts'
import { messageOf } from '../../errors.ts'
import { identityIn } from '../../order/identity.ts'
import type { RedisClient } from '../../redis/client.ts'
import { mentioning, someText } from './names.ts'
import type { Found, Place } from './place.ts'

/** A job may have an order of 1 MB. */
const pageLength = 20
const states = ['waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed'] as const

/** Finds jobs that hold an order of the user, and the events of the queue that mention the user. One that runs must end first. */
export const jobsPlace: Place = async function* ({ app, queues: { reprocess }, userId }) {
  const mentions = mentioning(userId)
  const names = ({ data, name, returnvalue, failedReason, stacktrace }: AnyJob): boolean =>
    someText([data, name, returnvalue, failedReason, stacktrace], mentions)
  for (const state of states) {
    const found: AnyJob[] = []
    for (let from = 0, read = pageLength; read === pageLength; from += pageLength) {
      const page = await reprocess.getJobs([state], from, from + pageLength - 1)
      read = page.length
      found.push(...page.filter((job) => isOf(job) || (hasEnded(state) && names(job))))
    }
    for (const job of found) yield { record: job.id ?? '', remove: () => removeJob(job) }
  }
  yield* findEvents(app.redis, reprocess.toKey('events'), mentions)

  function isOf(job: AnyJob): boolean {
    const { data } = reprocessData.safeParse(job.data)
    return data !== undefined && identityIn(data.body, app.format).userId === userId
  }
}

/** Returns false if a worker holds the job. */
async function removeJob(job: AnyJob): Promise<boolean> {
  try {
    await job.remove()
    return true
  } catch (error) {
    if (messageOf(error).includes('locked by another worker')) return false
    throw error
  }
}

async function* findEvents(
  redis: RedisClient,
  stream: string,
  mentions: (text: string) => boolean,
): AsyncGenerator<Found> {
  for (let after = '-', read = eventPage; read === eventPage; ) {
    const page = await redis.xrange(stream, after, '+', 'COUNT', eventPage)
    for (const [id, fields] of page) {
      if (!fields?.some(mentions)) continue
      yield { record: `event ${id}`, remove: async () => (await redis.xdel(stream, id)) >= 0 }
    }
    read = page.length
    after = `(${page.at(-1)?.[0] ?? ''}`
  }
}

const eventPage = 500
