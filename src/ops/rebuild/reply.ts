import { z } from 'zod'
import type { Money } from '../../order/money.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { type HashKind, hashKinds, kindOf } from './compare/scope.ts'
import type { Comparison, Flipped } from './flip/flip.ts'

/** How many keys a reply names. */
export const maxExamples = 20

const counts = z.object({ compared: z.int(), different: z.int() })

/** Describes what a comparison has found, as JSON. */
export const comparisonReply = z.object({
  equal: z.boolean(),
  records: z.int(),
  keys: z.record(z.enum(hashKinds), counts),
  scores: z.object({ users: z.int(), periods: z.int() }),
  /** By stage, how many orders and corrections it lacks; below 0 if the archive lacks some. */
  lacks: z.record(z.string(), z.int()),
  /** By stage, how many orders of the archive it has rejected: a flip counts them. */
  rejected: z.record(z.string(), z.int()),
  /** By stage, how many the archive has missed and the stage may have counted: there is no flip. Absent if there are none. */
  gaps: z.record(z.string(), z.int()).optional(),
  /** Holds what the calendar's books lack of what came before it began; absent if nothing. */
  before: z.record(z.string(), z.number()).optional(),
  total_orders: z.object({ now: z.number(), built: z.number() }).optional(),
  total_revenue: z.object({ now: z.number(), built: z.number() }).optional(),
  examples: z.array(z.object({ key: z.string(), lacks: z.record(z.string(), z.number()) })),
  flipped: z.object({ keys: z.int(), max_ms: z.number(), kept_as: z.string().optional() }).optional(),
})
export type ComparisonReply = z.output<typeof comparisonReply>

/** Describes a comparison. @param records how many the archive has given */
export function comparisonOf(
  { partitions, scores, lacks, rejected, gaps, before }: Comparison,
  records: number,
  money: Money,
): z.input<typeof comparisonReply> {
  const kinds = new Map(
    hashKinds.map((kind) => [
      kind,
      { compared: sum(partitions.map(({ counts }) => counts.get(kind) ?? 0)), different: 0 },
    ]),
  )
  for (const { keys, differences } of partitions) {
    for (const name of differences.keys()) {
      const counted = kinds.get(kindOf(keys, name).kind)
      if (counted) counted.different++
    }
  }
  const users = sum(scores.users.map(({ length }) => length))
  const examples = partitions.flatMap(({ differences }) => [...differences.values().take(maxExamples)])
  const has = (field: string): number => sum(partitions.map(({ books }) => Number(books.live.get(field) ?? 0n)))
  const lack = (field: string): number =>
    sum(partitions.map(({ keys, differences }) => differences.get(keys.globalStats)?.add.get(field) ?? 0))
  const [orders, minor] = [has('total_orders'), has('total_revenue_minor')]
  return {
    equal:
      examples.length === 0 &&
      users === 0 &&
      scores.periods === 0 &&
      before.size === 0 &&
      [...lacks.values()].every((lack) => lack === 0),
    records,
    keys: Object.fromEntries(kinds) as Record<HashKind, z.input<typeof counts>>,
    scores: { users, periods: scores.periods ?? 0 },
    lacks: Object.fromEntries(lacks),
    rejected: Object.fromEntries(rejected),
    ...(gaps.size > 0 && { gaps: Object.fromEntries([...gaps].map(([stage, { missed }]) => [stage, missed])) }),
    ...(before.size > 0 && { before: Object.fromEntries(before) }),
    ...(lacks.has(aggregate.name) && {
      total_orders: { now: orders, built: orders + lack('total_orders') },
      total_revenue: { now: money.toAmount(minor), built: money.toAmount(minor + lack('total_revenue_minor')) },
    }),
    examples: examples.slice(0, maxExamples).map(({ key, add }) => ({ key, lacks: Object.fromEntries(add) })),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

export const flippedOf = ({ keys, maxMs }: Flipped, keep: string | undefined) => ({
  keys,
  max_ms: Math.round(maxMs * 10) / 10,
  ...(keep !== undefined && { kept_as: keep }),
})
