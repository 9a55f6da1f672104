import { messageOf } from '../errors.ts'
import { isForbidden } from '../redis/rights.ts'
import { refusalOfWrites } from '../write-refusals.ts'
import { type Problem, problemOf } from './http/problem.ts'

/** What ioredis says when Redis is away, or a slot of a cluster has no master just now. */
const away =
  /Command timed out|Connection is closed|max retries per request|ECONN|CLUSTERDOWN|TRYAGAIN|Cluster redirections|slots cache|startup nodes/

/** What a request is told whose handling threw this. */
export function failure(error: unknown): Problem {
  if (away.test(messageOf(error))) return problemOf(503, 'Redis does not answer: try again in a moment.')
  const refused = refusalOfWrites(error)
  if (refused) return problemOf(503, refused)
  if (isForbidden(error)) return problemOf(500, `${messageOf(error)}.`)
  if (/^ORDERS there are/.test(messageOf(error))) {
    return problemOf(503, 'Orders are being moved to other partitions: try again when that has ended.')
  }
  if (messageOf(error).includes('WRONGTYPE')) {
    return problemOf(
      500,
      'A key of the pipeline has another type in Redis: orders doctor names it and says what to do.',
    )
  }
  return problemOf(500, 'This is a fault of the server; its log says more.')
}
