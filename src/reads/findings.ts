import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { unlessRefused } from '../redis/errors.ts'
import { boardKey, boards, rankedUsers } from '../stages/leaderboard.ts'
import { countText } from './count-text.ts'

/* Sentences about the books. */

interface Found {
  readonly stage: string
  /** By the counters; null where they cannot be read. */
  readonly waiting: number | null
  /** In its stream; null where that could not be measured. */
  readonly measured: number | null
  readonly foreign: number | null
}

/** "1 order is", "2 orders are". */
export const ordersAre = (orders: number): string => (orders === 1 ? '1 order is' : `${countText(orders)} orders are`)

/** Describes orders that wait by the counters but are not in the stream: they were deleted before their commit. */
export function lossOf({ stage, waiting, measured }: Found): string[] {
  if (measured === null || waiting === null || waiting <= measured) return []
  const missing = `${ordersAre(waiting - measured)} missing from its stream`
  return [`Stage ${stage}: ${missing}: ${countText(waiting)} wait by the counters, it holds ${countText(measured)}.`]
}

/** Describes more orders than came in: another process changed the counters, or copied an entry. */
export function surplusOf({ stage, waiting, measured }: Found): string[] {
  if (waiting === null) return []
  if (measured === null && waiting < 0) {
    return [`Stage ${stage}: ${countText(-waiting)} more orders have gone out than came in.`]
  }
  if (measured === null || waiting >= measured) return []
  const more = `its stream holds ${countText(measured - waiting)} more orders than came in`
  return [`Stage ${stage}: ${more}: ${countText(waiting)} wait by the counters, it holds ${countText(measured)}.`]
}

/** Describes facts that do not make the books wrong. */
export function notesOf(stages: readonly Found[]): string[] {
  return stages.flatMap(({ stage, waiting, measured, foreign }) => [
    ...(measured === null && waiting !== null // else another sentence says what cannot be read
      ? [
          `Stage ${stage}: too many orders wait to be measured, or it has not started yet; missing orders are not known.`,
        ]
      : []),
    ...foreignNote(stage, foreign),
  ])
}

export function foreignNote(stage: string, foreign: number | null): string[] {
  if (foreign === null || foreign === 0) return []
  return [`Stage ${stage}: ${countText(foreign)} foreign order${foreign === 1 ? '' : 's'} that no stage of ours wrote.`]
}

/** Describes missing orders that are not written off. */
export function missingNote({ stage, unaccounted }: { stage: string; unaccounted: number | null }): string[] {
  if (unaccounted === null || unaccounted <= 0) return []
  return [`Stage ${stage}: ${ordersAre(unaccounted)} missing from its stream; run orders verify for details.`]
}

/** Users whose scores are checked: GET /stats/top-users shows at most 100. `orders verify --deep` checks all. */
const checkedUsers = 100

/** Describes the first score of each board that is not an integer. Returns nothing for a board that cannot be read. */
export async function oddScores(redis: RedisClient, keys: Keys): Promise<string[]> {
  const read = boards.map(async (board) => {
    const key = boardKey(keys, board)
    const best = await unlessRefused(redis.zrevrange(key, 0, checkedUsers - 1, 'WITHSCORES'))
    const odd = rankedUsers(best ?? []).find(({ score }) => !Number.isInteger(score))
    if (!odd) return []
    const advice = 'another client wrote it; orders verify --repair rebuilds the board'
    return [`The score ${odd.score} of ${odd.userId} on ${key} is not an integer: ${advice}.`]
  })
  return (await Promise.all(read)).flat()
}
