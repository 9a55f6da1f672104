import type { Keys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { codeOf, type RejectCode, type RejectGroup, rejectGroupNames, rejectGroups } from '../../reject-codes.ts'
import { idMs, idOfSortable, isoOf, sortableId, timeMs } from '../../stream-id.ts'
import { type InvalidEntry, readEntry } from './entry.ts'

/** Returns the groups of a code, of a reason, or of both. */
export function groupsOf(code: RejectCode | undefined, reason?: string): readonly RejectGroup[] {
  return rejectGroupNames.filter(
    (group) =>
      (code === undefined || codeOf(group) === code) && (reason === undefined || rejectGroups[group] === reason),
  )
}

export interface GroupSummary {
  readonly code: RejectCode
  readonly reason: string
  readonly count: number
  readonly first: string
  readonly last: string
  /** Orders of the last minute. */
  readonly lastMinute: number
  /** Orders of the minute before. */
  readonly minuteBefore: number
  /** The newest entry and its partition. */
  readonly newest: { readonly id: string; readonly keys: Keys }
}

/** Reads every reason that has entries, most frequent first. The cost does not depend on the number of entries. */
export async function summarize(redis: RedisClient, partitions: readonly Keys[]): Promise<GroupSummary[]> {
  const now = timeMs(await redis.time())
  const minutes = [1, 2].map((ago) => sortableId(`${now - ago * 60_000}`))
  const groups = await Promise.all(rejectGroupNames.map((group) => summarizeGroup(redis, partitions, group, minutes)))
  return groups.filter((group) => group !== undefined).sort((a, b) => b.count - a.count)
}

/** Reads the newest entry of each reason; skips a reason whose newest entry was removed meanwhile. */
export async function withExamples(
  redis: RedisClient,
  groups: readonly GroupSummary[],
): Promise<(Omit<GroupSummary, 'newest' | 'lastMinute' | 'minuteBefore'> & { readonly example: InvalidEntry })[]> {
  const all = await Promise.all(
    groups.map(async ({ newest: { keys, id }, lastMinute: _, minuteBefore: __, ...group }) => {
      const example = await readEntry(redis, keys, id)
      return example ? [{ ...group, example }] : []
    }),
  )
  return all.flat()
}

async function summarizeGroup(
  redis: RedisClient,
  partitions: readonly Keys[],
  group: RejectGroup,
  [minuteAgo, twoMinutesAgo]: readonly string[],
): Promise<GroupSummary | undefined> {
  const found = await Promise.all(
    partitions.map(async (keys) => {
      const key = keys.invalidGroup(group)
      const [count, [first], [last], lastMinute, minuteBefore] = await Promise.all([
        redis.zcard(key),
        redis.zrange(key, '0', '0'),
        redis.zrange(key, '-1', '-1'),
        redis.zlexcount(key, `[${minuteAgo}`, '+'),
        redis.zlexcount(key, `[${twoMinutesAgo}`, `(${minuteAgo}`),
      ])
      return first && last ? [{ keys, count, first, last, lastMinute, minuteBefore }] : []
    }),
  )
  const parts = found.flat().sort((one, other) => (one.last < other.last ? -1 : 1))
  const [newest, first] = [parts.at(-1), parts.map((part) => part.first).sort()[0]]
  if (!newest || !first) return undefined
  return {
    ...{ code: codeOf(group), reason: rejectGroups[group], count: parts.reduce((sum, part) => sum + part.count, 0) },
    lastMinute: parts.reduce((sum, part) => sum + part.lastMinute, 0),
    minuteBefore: parts.reduce((sum, part) => sum + part.minuteBefore, 0),
    ...{ first: at(first), last: at(newest.last), newest: { id: idOfSortable(newest.last), keys: newest.keys } },
  }
}

const at = (member: string): string => isoOf(idMs(member))
