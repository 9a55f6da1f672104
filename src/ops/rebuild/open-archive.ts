import type { App } from '../../app.ts'
import { type Chain, type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import { placesIn, removalsIn } from '../../reads/archive/segments.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import type { Archive, PastRecord } from './archive.ts'

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
    async *steps(after) {
      const all = await readAll()
      const inPlaceOf = placesIn(all.map(({ chain }) => chain))
      for (const { store, chain } of all) {
        for (const line of chain.lines.slice(after(chain.chain))) {
          const segment = line.kind === 'segment' ? inPlaceOf(line.segment) : undefined
          const records = segment && (readRecords(store, segment) as AsyncIterable<PastRecord>)
          yield { chain: chain.chain, seq: line.seq, ...(records && { records }) }
        }
      }
    },
  }
}
