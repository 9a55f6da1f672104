import type { App } from '../../app.ts'
import type { ReplayData } from '../../control/job-queues.ts'
import { type InvalidEntry, readInvalidEntry } from '../../stages/invalid/entry.ts'
import { readOldest } from '../../stages/invalid/oldest.ts'
import { compareIds, minId } from '../../stream-id.ts'
import { sumBy } from '../../sums.ts'

/** Maximum orders and characters moved by one script call, which blocks Redis meanwhile. They become one entry. */
const maxInChunk = 100
const chunkLength = 1_000_000

/**
 * Yields the entries that a replay takes, oldest first, in chunks that one script call can move.
 * @param left returns the number of entries that it may still take
 */
export async function* chunks(
  app: App,
  data: ReplayData,
  signal: AbortSignal,
  left: () => number,
): AsyncGenerator<InvalidEntry[]> {
  for (let after = minId, count = 10; ; ) {
    signal.throwIfAborted()
    const entries = await nextEntries(app, data, after, Math.max(1, Math.min(count, left())))
    if (entries.length === 0) return
    const chunk = fitting(entries)
    yield chunk
    after = chunk.at(-1)?.id ?? after
    const average = sumBy(entries, ({ json }) => json.length) / entries.length
    count = Math.max(1, Math.min(maxInChunk, Math.floor(chunkLength / average)))
  }
}

function fitting(entries: readonly InvalidEntry[]): InvalidEntry[] {
  let length = 0
  return entries.filter(({ json }, at) => {
    length += json.length
    return at === 0 || length <= chunkLength
  })
}

async function nextEntries(
  { redis, partitions }: App,
  data: ReplayData,
  after: string,
  count: number,
): Promise<InvalidEntry[]> {
  if (!data.ids) return readOldest(redis, partitions, { code: data.code, until: data.until, after, count })
  const left = [...new Set(data.ids)].filter((id) => compareIds(id, after) > 0).sort(compareIds)
  for (let from = 0; from < left.length; from += count) {
    const read = left.slice(from, from + count).map((id) => readInvalidEntry(redis, partitions, id))
    const entries = (await Promise.all(read)).filter((entry) => entry !== undefined)
    const wanted = entries.filter(({ record }) => data.code === undefined || record.code === data.code)
    if (wanted.length > 0) return wanted
  }
  return []
}
