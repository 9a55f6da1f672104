import type { PartitionScope } from '../app.ts'
import { aggregate } from './aggregate.ts'
import { leaveCalendar } from './layout/leave.ts'
import type { Consumer } from './runner/consume.ts'
import { removeConsumers } from './runner/dead-consumers.ts'
import { type ScannedUpTo, trim } from './runner/trim.ts'

/** 500 ms: a stream at full speed grows by some 10 MB in between; trimming at every commit costs a script call each. */
const trimEveryMs = 500

/** Trims after commits, and removes dead consumers now and then. Uses the monotonic clock, which cannot be set. */
export function housekeeper(scope: PartitionScope, consumer: Consumer): (worked: boolean) => Promise<void> {
  const scanned: ScannedUpTo = new Map()
  let untrimmed = false
  let trimmedAt = 0
  let tidiedAt = performance.now()
  return async (worked) => {
    untrimmed ||= worked
    const now = performance.now()
    const due = now - tidiedAt >= scope.config.claimIdleMs // the group of an idle stage too may have skipped entries
    if (due || (untrimmed && now - trimmedAt >= trimEveryMs)) {
      trimmedAt = now
      untrimmed = (await trim(scope, consumer.stage, { scanned, thorough: due })) > 0 // more may follow
    }
    if (!due) return
    tidiedAt = now
    if (consumer.stage.name === aggregate.name) await leaveCalendar(scope)
    await removeConsumers(scope, consumer, false)
  }
}
