import type { App } from '../../app.ts'
import { type Chain, type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { readRecords } from '../../reads/archive/records.ts'
import type { Line, Segment } from '../../stages/archive/manifest.ts'
import type { Store } from '../../stages/archive/store/store.ts'
import type { Archive, PastRecord } from './archive.ts'

/** A place of an archive, and the app that goes on with it; undefined for one that has ended. */
export interface ArchivePlace {
  readonly store: Store
  readonly app: Pick<App, 'redis' | 'partitions'> | undefined
}

/** Opens archives as one. A chain that several of them have is read from the first. */
export function archiveOf(places: readonly ArchivePlace[]): Archive {
  const known = places.map((): KnownLines => new Map())
  const readAll = async (): Promise<{ store: Store; chain: Chain }[]> => {
    const all = await Promise.all(places.map(({ store, app }, at) => readChains(store, app, known[at])))
    const chains = new Map<string, { store: Store; chain: Chain }>()
    for (const [at, { store }] of places.entries()) {
      for (const chain of all[at] ?? []) if (!chains.has(chain.chain)) chains.set(chain.chain, { store, chain })
    }
    return [...chains.values()]
  }
  return {
    name: places.map(({ store }) => store.place).join(' and '),
    erasures: async () => {
      const all = await readAll()
      const lines = all.flatMap(({ chain }) => [...chain.lines, ...chain.abandoned])
      return lines.flatMap((line) => (line.kind === 'erased' ? { user: line.receipt, at: line.at } : []))
    },
    async *steps(after) {
      const all = await readAll()
      const insteadOf = removals(all.flatMap(({ chain }) => chain.lines))
      for (const { store, chain } of all) {
        for (const line of chain.lines.slice(after(chain.chain))) {
          const segment = line.kind === 'segment' ? lastOf(line.segment, insteadOf) : undefined
          const records = segment && (readRecords(store, segment) as AsyncIterable<PastRecord>)
          yield { chain: chain.chain, seq: line.seq, ...(records && { records }) }
        }
      }
    },
  }
}

/** By the name of a segment that was taken out, the one that is in its place. */
type Removals = ReadonlyMap<string, Segment | undefined>

function removals(lines: readonly Line[]): Removals {
  return new Map(
    lines.flatMap((line) => (line.kind === 'erased' || line.kind === 'expired' ? [[line.removes, line.segment]] : [])),
  )
}

function lastOf(segment: Segment, insteadOf: Removals): Segment | undefined {
  let found: Segment | undefined = segment
  while (found && insteadOf.has(found.name)) found = insteadOf.get(found.name)
  return found
}
