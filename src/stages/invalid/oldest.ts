import type { Keys } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'
import { type RejectCode, rejectGroupNames } from '../../reject-codes.ts'
import { compareIds, idOfSortable, minId, newestId, oldestId, sortableId } from '../../stream-id.ts'
import { type InvalidEntry, readEntries, toEntry } from './entry.ts'
import { groupsOf } from './reasons.ts'

/** Reads the oldest entries up to and including `until`, of one code or of all: those that a replay requeues next. */
export async function readOldest(
  redis: RedisClient,
  partitions: readonly Keys[],
  range: OldestRange,
): Promise<InvalidEntry[]> {
  const pages = await Promise.all(partitions.map((keys) => readOldestOf(redis, keys, range)))
  // After the end of one partition's page there may be entries older than those of other partitions.
  const end = oldestId(pages.flatMap((page) => page.end ?? []))
  const read = pages.flatMap(({ entries }) => entries).sort((one, other) => compareIds(one.id, other.id))
  const within = end === undefined ? read : read.filter(({ id }) => compareIds(id, end) <= 0)
  if (within.length === 0 && end !== undefined) return readOldest(redis, partitions, { ...range, after: end }) // all gone
  return within.slice(0, range.count)
}

interface OldestRange {
  readonly code?: RejectCode | undefined
  readonly after: string
  readonly until: string
  readonly count: number
}

async function readOldestOf(
  redis: RedisClient,
  keys: Keys,
  { code, after, until, count }: OldestRange,
): Promise<{ entries: InvalidEntry[]; end?: string | undefined }> {
  const endOf = (ids: readonly string[]): string | undefined => (ids.length === count ? ids.at(-1) : undefined)
  if (!code) {
    const found = await redis.xrange(keys.invalid, `(${after}`, until, 'COUNT', count)
    return { entries: found.map((entry) => toEntry(keys, entry)), end: endOf(found.map(([id]) => id)) }
  }
  const of = groupsOf(code).map((group) =>
    redis.zrangebylex(keys.invalidGroup(group), `(${sortableId(after)}`, `[${sortableId(until)}`, 'LIMIT', 0, count),
  )
  const ids = (await Promise.all(of)).flat().sort().slice(0, count).map(idOfSortable)
  return { entries: await readEntries(redis, keys, ids), end: endOf(ids) }
}

/** Counts the entries up to and including `until`. */
export async function countInvalid(
  redis: RedisClient,
  partitions: readonly Keys[],
  { code, until }: { code?: RejectCode | undefined; until: string },
): Promise<number> {
  const groups = code ? groupsOf(code) : rejectGroupNames
  const names = partitions.flatMap((keys) => groups.map((group) => keys.invalidGroup(group)))
  const counts = await Promise.all(names.map((name) => redis.zlexcount(name, '-', `[${sortableId(until)}`)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Returns the id of the newest entry; `0-0` if there is none. */
export async function newestInvalidId(redis: RedisClient, partitions: readonly Keys[]): Promise<string> {
  const newest = await Promise.all(partitions.map(({ invalid }) => redis.xrevrange(invalid, '+', '-', 'COUNT', 1)))
  return newestId(newest.flatMap(([entry]) => entry?.[0] ?? [])) ?? minId
}
