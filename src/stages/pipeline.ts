import type { ChannelName } from '../messages.ts'
import { aggregate } from './aggregate.ts'
import { leaderboard } from './leaderboard.ts'
import type { Stage } from './stage.ts'
import { validate } from './validate.ts'

/** The line. A stage more is one file and one word here. */
export const pipeline: readonly Stage[] = [validate, aggregate, leaderboard]

/** The counter of what comes into a stream: `received` by the bridge, or what the stage before passed. */
export function inflowOf(channel: ChannelName): string {
  return pipeline.find((stage) => stage.to === channel)?.counts ?? 'received'
}

/** The counter of what a stage rejected: the first one's is `rejected`, as in received = admitted + duplicates + rejected. */
export function rejectedBy(stage: Stage): string {
  return stage.from === 'raw' ? 'rejected' : `${stage.name}:rejected`
}

/** The counters of what a stage is done with. */
export function outflowOf(stage: Stage): string[] {
  return [stage.counts, rejectedBy(stage), ...(stage.from === 'raw' ? ['duplicates'] : [])]
}

/** The counter of what had gone by before a stage was added to the line. */
export function missedBy(stage: Stage): string {
  return `${stage.name}:missed`
}

/** The counter of orders that were deleted from its stream before it had committed them, once they are written off. */
export function lostBy(stage: Stage): string {
  return `${stage.name}:lost`
}

/** The counter of orders that it found on its stream though no stage of ours had put them there. */
export function foreignBy(stage: Stage): string {
  return `${stage.name}:foreign`
}

/** The counter of orders that are counted when a stage commits them, because nothing of ours had counted them before. */
export function foundBy(stage: Stage): string {
  return stage.from === 'raw' ? 'received' : foreignBy(stage)
}
