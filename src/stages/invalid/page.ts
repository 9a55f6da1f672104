import type { App } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityInRecord } from '../../order/identity.ts'
import type { RedisClient } from '../../redis/client.ts'
import type { RejectCode, RejectGroup } from '../../reject-codes.ts'
import { compareIds, idOfSortable, newestId, olderThan, sortableId } from '../../stream-id.ts'
import { toJson } from './entry.ts'
import { groupsOf } from './reasons.ts'

export interface InvalidFilter {
  readonly limit: number
  readonly code?: RejectCode | undefined
  /** A value of `rejectGroups`: a reason, or the pattern of reasons that name the order itself. */
  readonly reason?: string | undefined
  readonly userId?: string | undefined
  /** Only entries older than the one with this id. */
  readonly before?: string | undefined
  /** Ends the read when it aborts. */
  readonly signal?: AbortSignal | undefined
}

type Scope = Pick<App, 'redis' | 'partitions' | 'format'>

/** Rejected records as JSON, newest first. */
export interface InvalidPage {
  readonly found: readonly string[]
  /** The id of the last entry scanned, if there are older ones. */
  readonly next: string | undefined
}

/**
 * Reads one page of the invalid channel: by code or reason through the index of ids, by user through every entry. Stops once
 * it has found `limit` entries or has scanned the maximum of one request.
 * @throws the signal's reason
 */
export async function readInvalid({ redis, partitions, format }: Scope, filter: InvalidFilter): Promise<InvalidPage> {
  const { limit, userId } = filter
  const found: string[] = []
  let [entries, characters] = [0, 0]
  for await (const { id, json = '' } of newestFirst(redis, partitions, filter)) {
    entries++
    characters += json.length
    if (json !== '' && (userId === undefined || ownerOf(json, format) === userId)) found.push(json)
    if (found.length === limit || entries === maxEntries || characters >= maxCharacters) return { found, next: id }
  }
  return { found, next: undefined }
}

/** Reads the newest invalid orders as JSON, page by page until there are enough. @throws the signal's reason */
export async function newestInvalid(scope: Scope, filter: InvalidFilter): Promise<string[]> {
  const all: string[] = []
  for (let before: string | undefined; ; ) {
    const { found, next } = await readInvalid(scope, {
      ...filter,
      limit: filter.limit - all.length,
      before,
    })
    all.push(...found)
    if (next === undefined || all.length >= filter.limit) return all
    before = next
  }
}

/** Returns undefined for a record that another client wrote. */
function ownerOf(json: string, format: OrderFormat): string | undefined {
  try {
    return identityInRecord(json, format).userId
  } catch {
    return undefined
  }
}

/** Entries that a request scans: by user and code, the slowest, that takes 100 ms, 35 of them in Redis (2 cores). */
const maxEntries = 2_000
/** Characters that a request scans: a thousand bodies of 1 MB would delay everything else. */
const maxCharacters = 8_000_000
/** A connection carries 25 of the largest bodies in some 30 ms. The size of the next bodies is unknown. */
const pageLength = 25

/** An entry of a lane; without JSON if the index has its id but the entry was removed meanwhile. */
interface LaneEntry {
  readonly id: string
  readonly json?: string
}

/** The entries of one partition, or of one group in it, newest first. */
interface Lane {
  readonly keys: Keys
  readonly group: RejectGroup | undefined
  page: readonly LaneEntry[]
  /** The oldest id read. */
  end: string | undefined
  count: number
  isWhole: boolean
}

/** Merges the entries of all lanes. Reads a page of each lane at a time; the first pages together have about one page. */
async function* newestFirst(
  redis: RedisClient,
  partitions: readonly Keys[],
  { code, reason, userId, before, limit, signal }: InvalidFilter,
): AsyncGenerator<LaneEntry> {
  const groups = (code ?? reason) ? groupsOf(code, reason) : [undefined]
  const maxFirst = userId === undefined ? Math.min(limit, pageLength) : pageLength
  const count = Math.ceil(maxFirst / (partitions.length * groups.length))
  const lanes = partitions.flatMap((keys) =>
    groups.map((group): Lane => ({ keys, group, page: [], end: before, count, isWhole: false })),
  )
  for (let isWhole = false; !isWhole; ) {
    signal?.throwIfAborted()
    const empty = lanes.filter((lane) => lane.page.length === 0 && !lane.isWhole)
    await Promise.all(empty.map((lane) => readOn(redis, lane)))
    // Behind the end of a lane's page there may be entries newer than those of other lanes.
    const open = lanes.filter((lane) => !lane.isWhole)
    const end = newestId(open.flatMap((lane) => lane.end ?? []))
    const isBefore = ({ id }: LaneEntry): boolean => end !== undefined && compareIds(id, end) < 0
    const ready = lanes.flatMap(({ page }) => page.filter((entry) => !isBefore(entry)))
    for (const lane of lanes) lane.page = lane.page.filter(isBefore)
    yield* ready.sort((one, other) => compareIds(other.id, one.id))
    isWhole = open.length === 0
  }
}

/** Reads a lane's next page. Each is twice as long as the one before, so that the lane with most entries needs few reads. */
async function readOn(redis: RedisClient, lane: Lane): Promise<void> {
  lane.page = await readNewest(redis, lane)
  lane.isWhole = lane.page.length < lane.count
  lane.end = lane.page.at(-1)?.id ?? lane.end
  lane.count = Math.min(2 * lane.count, pageLength)
}

async function readNewest(redis: RedisClient, { keys, group, end, count }: Lane): Promise<LaneEntry[]> {
  if (!group) {
    const older = olderThan(end)
    if (older === undefined) return []
    return (await redis.xrevrange(keys.invalid, older, '-', 'COUNT', count)).map((entry) => toJson(keys, entry))
  }
  const max = end === undefined ? '+' : `(${sortableId(end)}`
  const ids = (await redis.zrevrangebylex(keys.invalidGroup(group), max, '-', 'LIMIT', 0, count)).map(idOfSortable)
  return Promise.all(
    ids.map(async (id) => {
      const [found] = await redis.xrange(keys.invalid, id, id)
      return found ? toJson(keys, found) : { id }
    }),
  )
}
