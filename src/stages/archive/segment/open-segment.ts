import { compareIds } from '../../../stream-id.ts'
import { type Entry, entryBytes } from '../../runner/entry.ts'
import { linesOf, ordersOf } from '../record.ts'
import { openPacking } from './pack.ts'

/** A segment that grows. Its entries stay pending until it is committed. */
export interface OpenSegment {
  readonly ids: ReadonlySet<string>
  readonly orders: number
  /** Packed so far. */
  readonly bytes: number
  readonly ageMs: number
  /** Its oldest and its newest entry; `''` while it has none. */
  readonly first: string
  readonly last: string
  /** Adds the entries that it does not have. */
  add(entries: readonly Entry[]): Promise<void>
  /** Ends it. */
  end(): Promise<EndedSegment>
}

/** A segment without its name. */
export interface EndedSegment {
  readonly body: Buffer
  readonly ids: readonly string[]
  readonly first: string
  readonly last: string
  readonly orders: number
  readonly records: number
  /** Orders that were not counted when they were written. */
  readonly found: number
}

/** Entries are packed at once up to so many bytes: the event loop must turn. */
const packedAtOnce = 1_000_000

/** Opens a segment of a stage. */
export function openSegment(stage: string): OpenSegment {
  const ids = new Set<string>()
  const packing = openPacking()
  const openedAt = performance.now()
  let [orders, records, found] = [0, 0, 0]
  let [first, last] = ['', '']
  const take = (entry: Entry): string[] => {
    const lines = linesOf(entry, stage)
    const own = ordersOf(entry, stage)
    ids.add(entry.id)
    orders += own
    records += lines.length
    if (!entry.counted) found += own
    if (first === '' || compareIds(entry.id, first) < 0) first = entry.id
    if (last === '' || compareIds(entry.id, last) > 0) last = entry.id
    return lines
  }
  return {
    ids,
    get orders() {
      return orders
    },
    get bytes() {
      return packing.bytes
    },
    get ageMs() {
      return performance.now() - openedAt
    },
    get first() {
      return first
    },
    get last() {
      return last
    },
    add: async (entries) => {
      for (const some of parts(entries.filter(({ id }) => !ids.has(id)))) await packing.add(some.flatMap(take))
    },
    end: async () => {
      const body = await packing.end()
      return { body, ids: [...ids].sort(compareIds), first, last, orders, records, found }
    },
  }
}

function* parts(entries: readonly Entry[]): Generator<Entry[]> {
  let part: Entry[] = []
  let bytes = 0
  for (const entry of entries) {
    part.push(entry)
    bytes += entryBytes(entry)
    if (bytes < packedAtOnce) continue
    yield part
    part = []
    bytes = 0
  }
  if (part.length > 0) yield part
}
