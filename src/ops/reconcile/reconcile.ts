import { z } from 'zod'
import type { Keys } from '../../keys.ts'
import { loweredBy } from '../../reads/counters.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { encodeExpiries, encodeHashes, encodeRanks, numbering } from '../../stages/runner/effects.ts'
import { mergeEffect, noEffects } from '../../stages/runner/merge.ts'
import type { Effect } from '../../stages/stage.ts'
import type { Difference } from './difference.ts'
import { keptSeconds } from './token.ts'

/*
 * The one way in which numbers are corrected. A comparison finds by how much a hash differs from what is true: the archive for a
 * rebuild, the users' hashes for a repair. Every such number is a sum over records, so the difference stays right however many
 * orders are counted meanwhile, and no stage has to pause. One step adds the differences of some keys, if nothing else has
 * changed numbers since they were found. Scores follow from the hashes.
 */

const run = defineScript(import.meta.url, z.enum(['done', 'gone']))

/** Says what one step writes. */
export interface Plan {
  readonly differences: readonly Difference[]
  /** Members whose scores follow from what is written. */
  readonly ranks: readonly Effect[]
}

export interface Step {
  /** The token of the comparison; '' to revert a step that was kept. */
  readonly token: string
  /** '' after the last step. */
  readonly nextToken: string
  /** The name under which reverting finds it, and its number; undefined to keep nothing. */
  readonly kept: { readonly name: string; readonly step: string } | undefined
}

/** Carries out a step in a partition: all of it or nothing. @returns false if it was refused, see reconcile.lua */
export async function reconcile(redis: RedisClient, keys: Keys, step: Step, plan: Plan): Promise<boolean> {
  const { token, nextToken, kept } = step
  const { differences, ranks } = plan
  const effects = noEffects()
  for (const effect of ranks) mergeEffect(effects, effect)
  for (const { key, expiresAt } of differences) {
    if (expiresAt !== undefined) effects.expiries.set(key, expiresAt)
  }
  const names = [keys.compared, keys.rebuildKept(kept?.name ?? '')]
  const added = differences.filter(({ add }) => add.size > 0)
  const sums = new Map(added.map(({ key, add }) => [key, key === keys.counters ? withLowered(add) : new Map(add)]))
  const { shapes, numberOf } = encodeHashes(names, sums)
  const rankShapes = encodeRanks(names, effects.ranks, numberOf)
  const expiries = encodeExpiries(names, effects.expiries)
  const numberIn = numbering(names, numberOf)
  const numbersOf = (some: readonly Difference[]): number[] => some.map(({ key }) => numberIn(key))
  const encoded = {
    ...{ hashes: shapes, ranks: rankShapes, expiries },
    replaced: numbersOf(differences.filter(({ isReplaced }) => isReplaced)),
    odd: differences.filter(({ odd }) => odd.length > 0).map(({ key, odd }) => [numberIn(key), ...odd]),
    emptied: numbersOf(differences.filter(({ isForeign }) => isForeign)),
  }
  const keeps = kept === undefined || token === '' ? '' : JSON.stringify(keptOf(differences))
  const args = [token, kept?.step ?? '', nextToken, keeps, keptSeconds, JSON.stringify(encoded)]
  return (await run(redis, names, args)) === 'done'
}

/** Writes down by how much counters are lowered: each process would take that for a loss of data. */
function withLowered(add: ReadonlyMap<string, number>): Map<string, number> {
  const lowered = [...add].filter(([, by]) => by < 0).map(([name, by]) => [loweredBy(name), -by] as const)
  return new Map([...add, ...lowered])
}

const kept = z.array(
  z.object({ key: z.string(), add: z.record(z.string(), z.number()), expires: z.number().optional() }),
)

const keptOf = (differences: readonly Difference[]): z.input<typeof kept> =>
  differences.map(({ key, add, expiresAt }) => ({
    key,
    add: Object.fromEntries(add),
    ...(expiresAt && { expires: expiresAt }),
  }))

/** Returns what reverts a step that was kept. */
export function reversalOf(text: string): Difference[] {
  return kept.parse(JSON.parse(text)).map(({ key, add, expires }) => ({
    key,
    add: new Map(Object.entries(add).map(([field, by]) => [field, -by])),
    ...{ odd: [], isReplaced: false, isForeign: true, expiresAt: expires },
  }))
}
