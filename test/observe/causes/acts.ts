import * as archive from './archive.ts'
import type { Cause } from './cause.ts'
import * as processes from './processes.ts'
import * as redis from './redis.ts'
import * as sqs from './sqs.ts'

/** Causes of one act begin together: they do not get in each other's way. */
export type Act = readonly Cause[]

/** The slowest ones go on while the others come and go: a pause of a (shortened) hour, and one read once a minute. */
export const slowActs: readonly Act[] = [[processes.pausedLong, redis.booksChanged]]

/** The acts that follow each other. */
export const acts: readonly Act[] = [
  [processes.validateGone, processes.jobsGone, processes.fullLog, sqs.attributesDenied],
  [sqs.receivesDenied, sqs.clockOff, sqs.deadLetters, processes.jobFails, processes.starved],
  [redis.totalsReplaced, processes.bug, sqs.invalidOrders],
  [redis.entriesDeleted, redis.evicting, archive.archiveGone],
  [redis.invalidListReplaced],
  [processes.apiGone, sqs.emptyReceives, processes.restarts],
  [redis.memoryFull],
  [redis.redisSlow],
  [redis.writesRefused],
]

/** Empties Redis, so it comes last. */
export const lastAct: Act = [redis.emptied]

/** Every cause, with the outage that Alertmanager is watched in. */
export const causes: readonly Cause[] = [...slowActs, ...acts, lastAct, [redis.redisAway]].flat()
