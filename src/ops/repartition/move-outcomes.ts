import type { Keys } from '../../keys.ts'
import { outcomeSeconds } from '../../messages.ts'
import { type Move, moveHashes } from './move.ts'

/**
 * Moves the outcomes of jobs from partitions that go away. Their fields get names of their own in the new partition, and
 * readers add them up (see stages/invalid/outcome.ts).
 * @param id of the repartition
 * @returns as moveHashes
 */
export function moveOutcomes(move: Move, id: string): Promise<number> {
  return moveHashes(
    move,
    (source) => source.outcome(''),
    (source, names, outcomes) => {
      const at = move.from.indexOf(source)
      const target = move.to[at % move.to.length] as Keys
      if (target.outcome('') === source.outcome(''))
        return { moved: 0, copies: [], remove: () => move.redis.pipeline() }
      const copy = move.redis.pipeline()
      names.forEach((name, index) => {
        const key = target.outcome(name.slice(source.outcome('').length))
        const fields = Object.entries(outcomes[index] ?? {}).map(([field, value]) => [
          `moved ${id} ${at} ${field}`,
          value,
        ])
        if (fields.length > 0) copy.hset(key, Object.fromEntries(fields)).expire(key, outcomeSeconds)
      })
      return { moved: names.length, copies: [copy], remove: () => move.redis.pipeline().unlink(...names) }
    },
  )
}
