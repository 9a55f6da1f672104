import { z } from 'zod'
import type { Keys } from '../../../keys.ts'
import { loweredBy } from '../../../reads/counters.ts'
import type { RedisClient } from '../../../redis/client.ts'
import { defineScript } from '../../../redis/script.ts'
import { encodeExpiries, encodeHashes, encodeRanks, numbering } from '../../../stages/runner/effects.ts'
import { mergeEffect, noEffects } from '../../../stages/runner/merge.ts'
import type { Effect } from '../../../stages/stage.ts'
import type { Difference } from '../compare/differences.ts'

const run = defineScript(import.meta.url, z.enum(['done', 'gone']))

/** Says what one step of a flip writes. */
export interface FlipPlan {
  readonly differences: readonly Difference[]
  readonly ranks: readonly Effect[]
}

/** A step of a flip, and what reverting it needs. */
export interface FlipStep {
  /** The token of the comparison; '' to revert. */
  readonly token: string
  /** '' after the last step. */
  readonly nextToken: string
  readonly step: string
  /** The name under which it is kept; undefined to keep nothing. */
  readonly keep: string | undefined
}

/** How long a flip can be reverted. */
const keptSeconds = 86_400

/** Carries out a step. @returns false if it was refused, see flip-step.lua */
export async function flipStep(redis: RedisClient, keys: Keys, step: FlipStep, plan: FlipPlan): Promise<boolean> {
  const { token, nextToken, keep } = step
  const { differences, ranks } = plan
  const effects = noEffects()
  for (const effect of ranks) mergeEffect(effects, effect)
  for (const { key, expiresAt } of differences) {
    if (expiresAt !== undefined) effects.expiries.set(key, expiresAt)
  }
  const names = [keys.rebuildProgress, keys.rebuildKept(keep ?? '')]
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
  const kept = keep === undefined || token === '' ? '' : JSON.stringify(keptOf(differences))
  const args = [token, step.step, nextToken, kept, keptSeconds, JSON.stringify(encoded)]
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
