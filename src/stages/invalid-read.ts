import { z } from 'zod'
import { identityIs } from '../identity.ts'
import type { Keys } from '../keys.ts'
import { codeOf, history, type RejectCode, type RejectGroup, rejectGroupNames, rejectGroups } from '../messages.ts'
import type { RedisClient } from '../redis.ts'
import { compareIds } from '../time.ts'

/** A rejected record as JSON, as the API shows it, and the partition that has it. Ids of all partitions differ. */
interface InvalidJson {
  readonly id: string
  readonly json: string
  readonly keys: Keys
}

/** The same, read. `text` is what was sent, byte for byte; undefined where it was no text. */
export interface InvalidEntry extends InvalidJson {
  readonly text: string | undefined
  readonly record: z.output<typeof stored>
}

const stored = z
  .object({
    order: z.record(z.string(), z.unknown()).nullable(),
    raw: z.string().optional(),
    code: z.string(),
    reason: z.string(),
    ts: z.string(),
    stage: z.string().optional(),
  })
  .extend(history.partial().shape)

export interface InvalidFilter {
  readonly limit: number
  readonly code?: RejectCode | undefined
  readonly userId?: string | undefined
  /** Only entries older than the one with this id. */
  readonly before?: string | undefined
}

/**
 * JSON texts of rejected records, newest first. By code in the time of what is found; by user the channel is read
 * through, a page at a time, until enough are found. Fewer than `limit` where they are large.
 */
export async function readInvalid(
  redis: RedisClient,
  partitions: readonly Keys[],
  filter: InvalidFilter,
): Promise<string[]> {
  const { limit, code, userId, before } = filter
  const found: string[] = []
  let length = 0
  const most = userId === undefined ? limit : Number.POSITIVE_INFINITY
  for await (const { json } of newestFirst(redis, partitions, { code, before, most })) {
    if (userId !== undefined && ownerOf(json) !== userId) continue
    found.push(json)
    length += json.length
    if (found.length === limit || length > mostAtOnce) break
  }
  return found
}

export async function readInvalidEntry(
  redis: RedisClient,
  partitions: readonly Keys[],
  id: string,
): Promise<InvalidEntry | undefined> {
  const found = await Promise.all(partitions.map((keys) => readEntry(redis, keys, id)))
  return found.find((entry) => entry !== undefined)
}

async function readEntry(redis: RedisClient, keys: Keys, id: string): Promise<InvalidEntry | undefined> {
  const [found] = await redis.xrange(keys.invalid, id, id)
  return found && toEntry(keys, found)
}

/** The oldest entries up to and with `until`, of a code or of all: what a replay takes next. */
export async function readOldest(
  redis: RedisClient,
  partitions: readonly Keys[],
  range: OldestRange,
): Promise<InvalidEntry[]> {
  const pages = await Promise.all(partitions.map((keys) => readOldestOf(redis, keys, range)))
  // Beyond the end of a page of one partition there may be more, older than what others have.
  const [end] = pages.flatMap((page) => page.end ?? []).sort(compareIds)
  const read = pages.flatMap(({ entries }) => entries).sort(byId)
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
    redis.zrangebylex(keys.invalidGroup(group), `(${sortable(after)}`, `[${sortable(until)}`, 'LIMIT', 0, count),
  )
  const ids = (await Promise.all(of)).flat().sort().slice(0, count).map(idOf)
  return { entries: await readEntries(redis, keys, ids), end: endOf(ids) }
}

/** How many entries there are up to and with `until`. */
export async function countInvalid(
  redis: RedisClient,
  partitions: readonly Keys[],
  { code, until }: { code?: RejectCode | undefined; until: string },
): Promise<number> {
  const groups = code ? groupsOf(code) : rejectGroupNames
  const names = partitions.flatMap((keys) => groups.map((group) => keys.invalidGroup(group)))
  const counts = await Promise.all(names.map((name) => redis.zlexcount(name, '-', `[${sortable(until)}`)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The id of the newest entry; `0-0` where there is none. */
export async function newestId(redis: RedisClient, partitions: readonly Keys[]): Promise<string> {
  const newest = await Promise.all(partitions.map(({ invalid }) => redis.xrevrange(invalid, '+', '-', 'COUNT', 1)))
  return (
    newest
      .flatMap(([entry]) => entry?.[0] ?? [])
      .sort(compareIds)
      .at(-1) ?? '0-0'
  )
}

export interface GroupSummary {
  readonly code: RejectCode
  readonly reason: string
  readonly count: number
  readonly first: string
  readonly last: string
  /** JSON of the newest entry. */
  readonly example: InvalidEntry
}

/** Every reason that has entries, most first. */
export async function summarize(redis: RedisClient, partitions: readonly Keys[]): Promise<GroupSummary[]> {
  const groups = await Promise.all(rejectGroupNames.map((group) => summarizeGroup(redis, partitions, group)))
  return groups.filter((group) => group !== undefined).sort((a, b) => b.count - a.count)
}

async function summarizeGroup(
  redis: RedisClient,
  partitions: readonly Keys[],
  group: RejectGroup,
): Promise<GroupSummary | undefined> {
  const found = await Promise.all(
    partitions.map(async (keys) => {
      const key = keys.invalidGroup(group)
      const [count, [first], [last]] = await Promise.all([
        redis.zcard(key),
        redis.zrange(key, '0', '0'),
        redis.zrange(key, '-1', '-1'),
      ])
      return first && last ? [{ keys, count, first, last }] : []
    }),
  )
  const parts = found.flat().sort((one, other) => (one.last < other.last ? -1 : 1))
  const [newest, first] = [parts.at(-1), parts.map((part) => part.first).sort()[0]]
  if (!newest || !first) return undefined
  const example = await readEntry(redis, newest.keys, idOf(newest.last))
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  return (
    example && {
      ...{ code: codeOf(group), reason: rejectGroups[group], count },
      ...{ first: at(first), last: at(newest.last), example },
    }
  )
}

/** Characters in one reply: a thousand bodies of 1 MB would hold up everything else. */
const mostAtOnce = 8_000_000
/** 25 of the largest bodies are what a connection carries in some 30 ms; of small ones more fit. */
const firstPage = 25
const pageLength = 2_000_000
const largestPage = 500

/** With partitions each is asked for a whole page, of which the newest are taken. */
async function* newestFirst(
  redis: RedisClient,
  partitions: readonly Keys[],
  { code, before, most }: Pick<InvalidFilter, 'code' | 'before'> & { most: number },
): AsyncGenerator<InvalidJson> {
  let left = most
  for (let cursor = before, size = firstPage; left > 0; ) {
    const count = Math.min(size, left)
    const read = await Promise.all(partitions.map((keys) => readNewest(redis, keys, { code, before: cursor, count })))
    const page = read
      .flat()
      .sort((one, other) => byId(other, one))
      .slice(0, count)
    yield* page
    if (page.length < count) return
    left -= count
    cursor = page.at(-1)?.id
    const average = page.reduce((sum, { json }) => sum + json.length, 0) / page.length
    size = Math.max(firstPage, Math.min(largestPage, Math.floor(pageLength / average)))
  }
}

async function readNewest(
  redis: RedisClient,
  keys: Keys,
  { code, before, count }: Pick<InvalidFilter, 'code' | 'before'> & { count: number },
): Promise<InvalidJson[]> {
  if (!code) {
    const found = await redis.xrevrange(keys.invalid, before ? `(${before}` : '+', '-', 'COUNT', count)
    return found.map((entry) => toJson(keys, entry))
  }
  const max = before ? `(${sortable(before)}` : '+'
  const of = groupsOf(code).map((group) => redis.zrevrangebylex(keys.invalidGroup(group), max, '-', 'LIMIT', 0, count))
  const ids = (await Promise.all(of)).flat().sort().reverse().slice(0, count)
  return readEntries(redis, keys, ids.map(idOf))
}

async function readEntries(redis: RedisClient, keys: Keys, ids: readonly string[]): Promise<InvalidEntry[]> {
  const entries = await Promise.all(ids.map((id) => readEntry(redis, keys, id)))
  return entries.filter((entry) => entry !== undefined)
}

type Found = [id: string, fields: string[] | null]

/** Not parsed: a page of it costs next to nothing. What does not begin as our records do would break the page. */
function toJson(keys: Keys, [id, fields]: Found): InvalidJson {
  const record = fields?.[3] ?? ''
  return { keys, id, json: record.startsWith('{"order":') ? `{"id":"${id}",${record.slice(1)}` : `{"id":"${id}"}` }
}

function toEntry(keys: Keys, found: Found): InvalidEntry {
  const { id, json } = toJson(keys, found)
  const record = recordOf(json)
  return { keys, id, json, record, text: record.raw ?? orderText(found[1]?.[3] ?? '{}') }
}

/** What somebody else put there has no owner. */
function ownerOf(json: string): string | undefined {
  try {
    return identityIs(JSON.parse(json).order).userId
  } catch {
    return undefined
  }
}

const recordOf = (json: string): z.output<typeof stored> => stored.parse(JSON.parse(json))

/** The order as it stands in the record, not parsed and written again: what comes behind it is known to the byte. */
function orderText(json: string): string | undefined {
  const { order, ...rest } = JSON.parse(json)
  if (order === null) return undefined
  return json.slice('{"order":'.length, -JSON.stringify(rest).length)
}

function groupsOf(code: RejectCode): readonly RejectGroup[] {
  return rejectGroupNames.filter((group) => codeOf(group) === code)
}

/** Ids sort as text when their sequence has ten digits: so they stand in the groups. */
function sortable(id: string): string {
  const [ms = '0', sequence = '0'] = id.split('-')
  return `${ms}-${sequence.padStart(10, '0')}`
}

const byId = (one: InvalidJson, other: InvalidJson): number => compareIds(one.id, other.id)

function idOf(member: string): string {
  const [ms, sequence] = member.split('-')
  return `${ms}-${Number(sequence)}`
}

const at = (member: string): string => new Date(Number(member.split('-')[0])).toISOString()
