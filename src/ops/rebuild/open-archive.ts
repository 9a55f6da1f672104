import type { App } from '../../app.ts'
import type { CarriedName } from '../../carried.ts'
import type { ValidRecord } from '../../messages.ts'
import { type Chain, type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import { lostSegments, placesIn, removalsIn } from '../../reads/archive/segments.ts'
import type { Segment } from '../../stages/archive/manifest.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'

/** A record of the archive: what passed the first stage, and where and when. */
export type PastRecord = ValidRecord & {
  /** The id of its entry on the stream of admitted orders. */
  readonly entry: string
  /** When it was sent to SQS, in ms. */
  readonly sent: number
  readonly body?: string | undefined
} & { readonly [name in Exclude<CarriedName, 'body'>]?: unknown }

/** A line of the manifest. */
export interface ArchiveStep {
  readonly chain: string
  /** Its number in the chain. */
  readonly seq: number
  /** Absent if the line has none that count. */
  readonly records?: AsyncIterable<PastRecord>
  /** The ids of its first and last entries. */
  readonly span?: Pick<Segment, 'first' | 'last'>
}

/** A line of the manifest that says that records of a user were taken out. */
export interface ArchivedErasure {
  /** The hash of the user. */
  readonly user: string | undefined
  readonly at: string
}

/** An archive, as a rebuild reads it. */
export interface Archive {
  /** Names the archive: what was built from another one does not count. */
  readonly name: string
  /**
   * Returns each removal of a user's records. What was built before one does not count either. Those that Redis has lost since
   * are among them: the user stays erased.
   */
  erasures(): Promise<readonly ArchivedErasure[]>
  /** Returns the segments that are left out, as Redis has lost their lines. */
  lost(): Promise<readonly Segment[]>
  /** Yields the lines of each chain in order, from the one after a number. @param after 0 for a chain that was not read */
  steps(after: (chain: string) => number): AsyncIterable<ArchiveStep>
}

/** A place of an archive, and the app that goes on with it; undefined for one that has ended. */
export interface ArchivePlace {
  readonly store: ObjectStore
  readonly app: Pick<App, 'redis' | 'partitions'> | undefined
}

/** Opens archives as one. A chain that several of them have is read from the first. */
export function archiveOf(places: readonly ArchivePlace[]): Archive {
  const known = places.map((): KnownLines => new Map())
  const readAll = async (): Promise<{ store: ObjectStore; chain: Chain }[]> => {
    const all = await Promise.all(places.map(({ store, app }, at) => readChains(store, app, known[at])))
    const chains = new Map<string, { store: ObjectStore; chain: Chain }>()
    for (const [at, { store }] of places.entries()) {
      for (const chain of all[at] ?? []) if (!chains.has(chain.chain)) chains.set(chain.chain, { store, chain })
    }
    return [...chains.values()]
  }
  return {
    name: places.map(({ store }) => store.place).join(' and '),
    erasures: async () => {
      const all = await readAll()
      const removals = removalsIn(all.map(({ chain }) => chain))
      return removals.flatMap((line) => (line.kind === 'erased' ? { user: line.receipt, at: line.at } : []))
    },
    lost: async () => {
      const chains = (await readAll()).map(({ chain }) => chain)
      return lostSegments(chains).map(({ segment }) => segment)
    },
    async *steps(after) {
      const all = await readAll()
      const inPlaceOf = placesIn(all.map(({ chain }) => chain))
      for (const { store, chain } of all) {
        for (const line of chain.lines.slice(after(chain.chain))) {
          const segment = line.kind === 'segment' ? inPlaceOf(line.segment) : undefined
          const records = segment && (readRecords(store, segment) as AsyncIterable<PastRecord>)
          yield { chain: chain.chain, seq: line.seq, ...(records && { records, span: segment }) }
        }
      }
    },
  }
}
