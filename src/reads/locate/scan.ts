import type { RedisClient } from '../../redis/client.ts'

/** The part of a stream that was scanned. */
export interface ScanCoverage {
  readonly stream: string
  /** Entries scanned. */
  readonly entries: number
  /** Entries in the stream when the scan began. */
  readonly of: number
  /** True if no entry was left out. */
  readonly whole: boolean
  /** True if more was found than is returned. */
  readonly more: boolean
}

/** Entries to scan, half of them the oldest, half the newest: 4,000 of SQS receives are 40,000 orders. */
const maxEntries = 4_000
/** Bytes to scan: 16 MB are read in 25 ms, or in 250 ms if all of it must be parsed (2 cores). */
const maxBytes = 16_000_000
/** A page blocks Redis and this process for a few ms, unless its entries are far larger than those before. */
const pageBytes = 1_000_000
/** A raw entry may hold ten bodies of 1 MB, and the first page is read before their size is known. */
const firstPage = 2
const maxPage = 20

type OnEntry = (id: string, fields: readonly Buffer[]) => void

/**
 * Scans a stream from its oldest entry on; of a long stream, both ends. An entry that was in the stream when the scan began
 * and is not seen was acknowledged and trimmed before its turn.
 * @throws the signal's reason
 */
export async function scanStream(
  redis: RedisClient,
  stream: string,
  onEntry: OnEntry,
  signal?: AbortSignal,
): Promise<ScanCoverage> {
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

/** Reads page by page until the stream ends, or half of the limits is reached. */
async function readHalf(
  read: ReadPage,
  onEntry: OnEntry,
  signal: AbortSignal | undefined,
): Promise<{ entries: number; stoppedAt: string | undefined }> {
  let entries = 0
  let bytes = 0
  let from: string | undefined
  for (let count = firstPage; entries < maxEntries / 2 && bytes < maxBytes / 2; ) {
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
    count = Math.max(1, Math.min(fit, maxPage, maxEntries / 2 - entries))
  }
  return { entries, stoppedAt: from }
}
