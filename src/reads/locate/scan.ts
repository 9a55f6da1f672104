import type { RedisClient } from '../../redis/client.ts'

/** How much of a stream was looked through. */
export interface Look {
  readonly stream: string
  /** Entries looked at. */
  readonly entries: number
  /** Entries the stream held when the look began. */
  readonly of: number
  /** Whether none was left out. */
  readonly whole: boolean
  /** Whether more was found in it than is told. */
  readonly more: boolean
}

/** Entries to look at, half of them the oldest, half the newest: 4,000 of SQS receives are 40,000 orders. */
const mostEntries = 4_000
/** The same for large ones: 16 MB are read in 25 ms, and in 250 where all of it is to be parsed (2 cores). */
const mostBytes = 16_000_000
/** A page holds up neither Redis nor this process for more than a few ms, unless its entries are far larger than those before. */
const pageBytes = 1_000_000
/** A raw entry may hold ten bodies of 1 MB: how large they are is not known before the first has come. */
const firstPage = 2
const largestPage = 20

type OnEntry = (id: string, fields: readonly Buffer[]) => void

/**
 * Looks through a stream, from its oldest entry on; of a longer one than is looked through, through both its ends. What
 * was in it when the look began and is not seen was acknowledged and trimmed before its turn came.
 * @throws the signal's reason
 */
export async function lookThrough(
  redis: RedisClient,
  stream: string,
  onEntry: OnEntry,
  signal?: AbortSignal,
): Promise<Look> {
  const of = await redis.xlen(stream)
  const oldest = await readHalf(
    (from, count) => redis.xrangeBuffer(stream, from ? `(${from}` : '-', '+', 'COUNT', count),
    onEntry,
    signal,
  )
  if (oldest.stoppedAt === undefined) return { stream, of, entries: oldest.entries, whole: true, more: false }
  const end = `(${oldest.stoppedAt}`
  const newest = await readHalf(
    (from, count) => redis.xrevrangeBuffer(stream, from ? `(${from}` : '+', end, 'COUNT', count),
    onEntry,
    signal,
  )
  return { stream, of, entries: oldest.entries + newest.entries, whole: newest.stoppedAt === undefined, more: false }
}

type Page = readonly (readonly [id: Buffer, fields: readonly Buffer[] | null])[]
type ReadPage = (from: string | undefined, count: number) => Promise<Page>

/** Reads page by page until there are no more entries, or half of what is looked at at most. */
async function readHalf(
  read: ReadPage,
  onEntry: OnEntry,
  signal: AbortSignal | undefined,
): Promise<{ entries: number; stoppedAt: string | undefined }> {
  let entries = 0
  let bytes = 0
  let from: string | undefined
  for (let count = firstPage; entries < mostEntries / 2 && bytes < mostBytes / 2; ) {
    signal?.throwIfAborted()
    const page = await read(from, count)
    const before = bytes
    for (const [id, fields] of page) {
      onEntry(String(id), fields ?? [])
      for (const field of fields ?? []) bytes += field.length
    }
    entries += page.length
    if (page.length < count) return { entries, stoppedAt: undefined }
    from = String(page.at(-1)?.[0])
    const fit = Math.floor(pageBytes / ((bytes - before) / page.length))
    count = Math.max(1, Math.min(fit, largestPage, mostEntries / 2 - entries))
  }
  return { entries, stoppedAt: from }
}
