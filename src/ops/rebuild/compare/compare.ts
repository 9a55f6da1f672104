import { type Keys, shadowName } from '../../../keys.ts'
import { exactInteger } from '../../../order/money.ts'
import { aggregate } from '../../../stages/aggregate.ts'
import { differenceOf } from '../../reconcile/difference.ts'
import { type Build, feed } from '../feed.ts'
import { requireBuilt, runIsGone } from '../progress.ts'
import { openLoneEntries, readReturned, untilAligned } from './lone-entries.ts'
import { type Differences, openDifferences } from './packed.ts'
import { type Pairs, readPairs } from './read-pairs.ts'
import { hashNames, kindOf } from './scope.ts'

/** Says what a partition lacks of what the archive says. */
export interface Compared {
  readonly keys: Keys
  readonly differences: Differences
  /** By stage, the most orders that it had rejected while this was compared: their hashes lack them. */
  readonly rejected: ReadonlyMap<string, number>
  /** How many hashes were compared, by kind. */
  readonly counts: ReadonlyMap<string, number>
  /** Fields of the counters and the global stats; and the counters of the stages by what was built, at one moment. */
  readonly books: { readonly live: ReadonlyMap<string, bigint>; readonly built: ReadonlyMap<string, bigint> }
}

/**
 * Compares all hashes of a partition with their shadows, while all stages work. Each hash is compared at one moment, by the
 * entries that it and its shadow have then. Lines that the archive has got meanwhile are added to the shadow first.
 */
export async function comparePartition(build: Build, keys: Keys): Promise<Compared> {
  const lone = openLoneEntries(build, keys)
  const returned = await readReturned(build, keys)
  const differences = openDifferences()
  const kinds = new Map<string, string>()
  const rejected = new Map<string, number>()
  const compare = (pairs: Pairs['pairs']): void => {
    for (const pair of pairs) {
      const { kind, owns } = kindOf(keys, pair.name)
      kinds.set(pair.name, kind)
      const found = differenceOf(pair, lone.amounts.get(shadowName(keys, build.run.id, pair.name)), { owns })
      if (found) differences.set(found)
      else differences.delete(pair.name)
    }
  }
  const read = (names: readonly string[], use: (pairs: Pairs['pairs']) => void): Promise<void> =>
    untilAligned(async () => {
      await build.alive()
      const both = names.map((name) => [name, shadowName(keys, build.run.id, name)] as const)
      const found = await readPairs(build.app.redis, keys, build.stages, both, returned)
      const { chain, seq } = found
      requireBuilt(build.run, keys, found.progress)
      for (const [stage, orders] of found.rejected) rejected.set(stage, Math.max(orders, rejected.get(stage) ?? 0))
      const fed = build.run.lines.get(chain) ?? 0
      if (seq < fed) throw runIsGone() // Redis was restored to an earlier state
      if (seq > fed) {
        await feed(build)
        return false
      }
      if (!(await lone.set(found.lone))) return false
      use(found.pairs)
      return true
    })
  for await (const names of hashNames(build, keys)) {
    const fresh = names.filter((name) => !kinds.has(name))
    if (fresh.length > 0) await read(fresh, compare)
  }
  const books = { live: new Map<string, bigint>(), built: new Map<string, bigint>() }
  await read([keys.counters, keys.globalStats], ([counters, global]) => {
    if (!counters || !global) return
    if (build.stages.some(({ name }) => name === aggregate.name)) compare([global])
    const more = lone.amounts.get(shadowName(keys, build.run.id, keys.counters))
    for (const [field, value] of [...(counters.live.fields ?? []), ...(global.live.fields ?? [])])
      books.live.set(field, exactInteger(value) ?? 0n)
    for (const { counts } of build.stages)
      books.built.set(
        counts,
        (exactInteger(counters.shadow.fields?.get(counts)) ?? 0n) + BigInt(more?.get(counts) ?? 0),
      )
  })
  const counts = new Map([...Map.groupBy(kinds.values(), (kind) => kind)].map(([kind, all]) => [kind, all.length]))
  return { keys, differences, rejected, counts, books }
}
