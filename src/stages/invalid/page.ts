import { z } from 'zod'
import { identityInRecord } from '../../identity.ts'
import type { Keys } from '../../keys.ts'
import { codeOf, history, type RejectCode, type RejectGroup, rejectGroupNames, rejectGroups } from '../../messages.ts'
import type { RedisClient } from '../../redis/client.ts'
import { compareIds, olderThan } from '../../time.ts'

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
  /** As `rejectGroups` has it: of reasons that name the order itself, their pattern. */
  readonly reason?: string | undefined
  readonly userId?: string | undefined
  /** Only entries older than the one with this id. */
  readonly before?: string | undefined
  /** Ends the read when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** Rejected records as JSON, newest first. */
export interface InvalidPage {
  readonly found: readonly string[]
  /** The id of the last entry looked at: older ones are yet to be read. Undefined where there are none. */
  readonly next: string | undefined
}

/**
 * Reads one page of the invalid channel: by code or reason through the index of ids, by user through every entry. It
 * ends where it has found `limit` entries or looked at as many or as much as one request may.
 * @throws the signal's reason
 */
export async function readInvalid(
  redis: RedisClient,
  partitions: readonly Keys[],
  filter: InvalidFilter,
): Promise<InvalidPage> {
  const { limit, userId } = filter
  const found: string[] = []
  let [entries, characters] = [0, 0]
  for await (const { id, json = '' } of newestFirst(redis, partitions, filter)) {
    entries++
    characters += json.length
    if (json !== '' && (userId === undefined || ownerOf(json) === userId)) found.push(json)
    if (found.length === limit || entries === maxEntries || characters >= maxCharacters) return { found, next: id }
  }
  return { found, next: undefined }
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
  /** The newest entry, and the partition that has it. */
  readonly newest: { readonly id: string; readonly keys: Keys }
}

/** Reads every reason that has entries, most first. It costs the same however many entries there are. */
export async function summarize(redis: RedisClient, partitions: readonly Keys[]): Promise<GroupSummary[]> {
  const groups = await Promise.all(rejectGroupNames.map((group) => summarizeGroup(redis, partitions, group)))
  return groups.filter((group) => group !== undefined).sort((a, b) => b.count - a.count)
}

/** Reads the newest entry of each reason; a reason whose newest entry was taken away meanwhile is left out. */
export async function withExamples(
  redis: RedisClient,
  groups: readonly GroupSummary[],
): Promise<(Omit<GroupSummary, 'newest'> & { readonly example: InvalidEntry })[]> {
  const all = await Promise.all(
    groups.map(async ({ newest: { keys, id }, ...group }) => {
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
  return {
    ...{ code: codeOf(group), reason: rejectGroups[group], count: parts.reduce((sum, part) => sum + part.count, 0) },
    ...{ first: at(first), last: at(newest.last), newest: { id: idOf(newest.last), keys: newest.keys } },
  }
}

/** Entries that a request looks at: by user and code, the slowest, it takes 100 ms, 35 of them in Redis (2 cores). */
const maxEntries = 2_000
/** Characters that a request looks at: a thousand bodies of 1 MB would hold up everything else. */
const maxCharacters = 8_000_000
/** 25 of the largest bodies are what a connection carries in some 30 ms. How large the next ones are is not known. */
const pageLength = 25

/** An entry of a lane; without JSON where the index has its id, and the entry was taken away meanwhile. */
interface LaneEntry {
  readonly id: string
  readonly json?: string
}

/** The entries of one partition, or of one group in it, newest first. */
interface Lane {
  readonly keys: Keys
  readonly group: RejectGroup | undefined
  page: readonly LaneEntry[]
  /** The oldest id that was read. */
  end: string | undefined
  count: number
  isWhole: boolean
}

/** Merges the partitions. Lanes are read a page at a time, together no more than a page where they are few. */
async function* newestFirst(
  redis: RedisClient,
  partitions: readonly Keys[],
  { code, reason, userId, before, limit, signal }: InvalidFilter,
): AsyncGenerator<LaneEntry> {
  const groups = (code ?? reason) ? groupsOf(code, reason) : [undefined]
  const most = userId === undefined ? Math.min(limit, pageLength) : pageLength
  const count = Math.ceil(most / (partitions.length * groups.length))
  const lanes = partitions.flatMap((keys) =>
    groups.map((group): Lane => ({ keys, group, page: [], end: before, count, isWhole: false })),
  )
  for (let isWhole = false; !isWhole; ) {
    signal?.throwIfAborted()
    const empty = lanes.filter((lane) => lane.page.length === 0 && !lane.isWhole)
    await Promise.all(empty.map((lane) => readOn(redis, lane)))
    // Older than the end of a lane there may be more in it, newer than what others have.
    const open = lanes.filter((lane) => !lane.isWhole)
    const end = open
      .flatMap((lane) => lane.end ?? [])
      .sort(compareIds)
      .at(-1)
    const isBefore = ({ id }: LaneEntry): boolean => end !== undefined && compareIds(id, end) < 0
    const ready = lanes.flatMap(({ page }) => page.filter((entry) => !isBefore(entry)))
    for (const lane of lanes) lane.page = lane.page.filter(isBefore)
    yield* ready.sort((one, other) => compareIds(other.id, one.id))
    isWhole = open.length === 0
  }
}

/** Each page of a lane is twice as long as the one before: a lane that has most of what is found is asked less often. */
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
  const max = end === undefined ? '+' : `(${sortable(end)}`
  const ids = (await redis.zrevrangebylex(keys.invalidGroup(group), max, '-', 'LIMIT', 0, count)).map(idOf)
  return Promise.all(
    ids.map(async (id) => {
      const [found] = await redis.xrange(keys.invalid, id, id)
      return found ? toJson(keys, found) : { id }
    }),
  )
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
    return identityInRecord(json).userId
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

function groupsOf(code: RejectCode | undefined, reason?: string): readonly RejectGroup[] {
  return rejectGroupNames.filter(
    (group) =>
      (code === undefined || codeOf(group) === code) && (reason === undefined || rejectGroups[group] === reason),
  )
}

/**
 * Ids sort as text when their sequence has ten digits: so they stand in the groups. Ids of clocks have 13 digits before
 * it; one that somebody asks for may have fewer or more.
 */
function sortable(id: string): string {
  const [ms = 0, sequence = 0] = id.split('-').map(Number)
  const digits = (value: number, count: number): string => String(Math.min(value, 10 ** count - 1)).padStart(count, '0')
  return ms < 10 ** 13 ? `${digits(ms, 13)}-${digits(sequence, 10)}` : '9'.repeat(13)
}

const byId = (one: InvalidJson, other: InvalidJson): number => compareIds(one.id, other.id)

function idOf(member: string): string {
  const [ms, sequence] = member.split('-')
  return `${ms}-${Number(sequence)}`
}

const at = (member: string): string => new Date(Number(member.split('-')[0])).toISOString()
