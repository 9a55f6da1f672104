import type { App } from '../../app.ts'
import { type Chain, readChains } from '../../reads/archive/chains.ts'
import { liveSegments } from '../../reads/archive/segments.ts'
import { countText } from '../../reads/count-text.ts'
import { archive } from '../../stages/archive/archive.ts'
import { linePrefix, manifestPrefix, parseLine, parseLineName } from '../../stages/archive/manifest.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { readObject } from '../../stages/archive/store/store.ts'
import { readTail, type Tail } from '../../stages/archive/tail.ts'
import { sum, sumBy } from '../../sums.ts'

type Reading = Pick<ObjectStore, 'list' | 'get'>

/** Says what an emptied Redis lacks, and what to do. */
export const uncountedText = (records: number): string =>
  `has ${countText(records)} records that this Redis has never counted`
export const uncountedAdvice = 'Where Redis was lost, orders rebuild --flip brings them back.'

/**
 * Counts the records that Redis, as it is, has never counted: it was emptied, and what it counts began at zero. Reads the whole
 * manifest only where there are earlier chains than those that began so.
 */
export async function uncountedRecords(app: App, store: Reading): Promise<number> {
  const found = await Promise.all(app.partitions.map((keys) => readTail({ redis: app.redis, keys })))
  const tails = found.filter((tail) => tail !== undefined)
  const isSuspect = (await hasOthers(store, tails)) && (await beganAtZero(store, tails))
  return isSuspect ? uncountedIn(app, await readChains(store, app)) : 0
}

/** Counts them in chains that were read before. */
export async function uncountedIn({ redis, partitions, pipeline }: App, chains: readonly Chain[]): Promise<number> {
  const missed = pipeline.stage(archive.name)?.counters.missed ?? ''
  const counts = await Promise.all(partitions.map(({ counters }) => redis.hmget(counters, archive.counts, missed)))
  const known = sum(counts.flat().map((count) => Number(count ?? 0)))
  return Math.max(0, sumBy(liveSegments(chains), ({ segment }) => segment.records) - known)
}

/** The name of a chain begins with the second in which it began: so the first name of a partition is of its first chain. */
async function hasOthers(store: Reading, tails: readonly Tail[]): Promise<boolean> {
  const prefixes = [manifestPrefix, ...tails.map(({ partition }) => `${manifestPrefix}partition=${partition}/`)]
  for (const prefix of prefixes) {
    for await (const { name } of store.list(prefix)) {
      const chain = parseLineName(name)?.chain
      if (!tails.some((tail) => tail.chain === chain)) return true
      break
    }
  }
  return false
}

async function beganAtZero(store: Reading, tails: readonly Tail[]): Promise<boolean> {
  for (const { partition, chain } of tails) {
    for await (const { name } of store.list(linePrefix(partition, chain, 1))) {
      const line = parseLine((await readObject(store, name))?.toString() ?? '', name)
      if (line.kind === 'begin' && line.archived > 0) return false
    }
  }
  return true
}
