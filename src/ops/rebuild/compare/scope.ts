import { type Keys, shadowedName, shadowPrefix } from '../../../keys.ts'
import { aggregate } from '../../../stages/aggregate.ts'
import { calendar } from '../../../stages/calendar.ts'
import { startFields } from '../../../stages/calendar-books.ts'
import type { Stage } from '../../../stages/placed.ts'
import { keysLike } from '../../scan.ts'
import { ranksKey } from '../apply.ts'
import type { Build } from '../feed.ts'

/** Kinds of hashes, as a comparison counts them. */
export const hashKinds = ['users', 'days', 'months', 'totals', 'others'] as const
export type HashKind = (typeof hashKinds)[number]

/** Hashes that a stage writes: what their names begin with, and their fields. */
interface Owned {
  readonly stage: string
  readonly kind: HashKind
  /** The name if there is one such hash, else what the names begin with. */
  name(keys: Keys): string
  readonly isOne?: true
  owns(field: string): boolean
}

const among =
  (...names: readonly string[]) =>
  (field: string) =>
    names.includes(field)
const starts = among(...startFields)
const dayFields = among('orders', 'revenue', 'cancelled', 'refunded', 'undated', 'misdated')

/** All that the shipped stages write. A field that is not named here is another stage's own. */
const owned: readonly Owned[] = [
  {
    ...{ stage: aggregate.name, kind: 'totals', isOne: true },
    name: ({ globalStats }) => globalStats,
    owns: among('total_orders', 'total_revenue_minor'),
  },
  {
    ...{ stage: aggregate.name, kind: 'users' },
    name: (keys) => keys.userStats(''),
    owns: among('order_count', 'total_spend_minor'),
  },
  {
    ...{ stage: calendar.name, kind: 'totals', isOne: true },
    name: ({ calendarBooks }) => calendarBooks,
    owns: (field) => !starts(field),
  },
  { stage: calendar.name, kind: 'days', name: (keys) => keys.day(''), owns: dayFields },
  { stage: calendar.name, kind: 'months', name: (keys) => keys.monthly('', '').slice(0, -1), owns: () => true },
]

/** Returns what a hash is; of a stage of one's own, only what the shadow has is known. */
export function kindOf(keys: Keys, name: string): Pick<Owned, 'kind' | 'owns'> {
  const found = owned.find((one) => (one.isOne ? one.name(keys) === name : name.startsWith(one.name(keys))))
  return found ?? { kind: 'others', owns: () => false }
}

/** Yields the names of all hashes that the stages have written, live or in the shadow. Some may be yielded twice. */
export async function* hashNames(build: Build, keys: Keys): AsyncGenerator<string[]> {
  const { app, run, stages, alive } = build
  const scan = { redis: app.redis, alive }
  const shadow = build.shadows.get(keys) ?? keys
  const books = [shadow.counters, ranksKey(shadow)]
  for await (const names of keysLike(scan, keys, shadowPrefix(keys, run.id))) {
    const hashes = names.filter((name) => !books.includes(name))
    if (hashes.length > 0) yield hashes.map((name) => shadowedName(keys, run.id, name))
  }
  for (const { name, isOne } of ofStages(stages)) {
    if (isOne) yield [name(keys)]
    else for await (const names of keysLike(scan, keys, name(keys))) if (names.length > 0) yield names
  }
}

const ofStages = (stages: readonly Stage[]): readonly Owned[] =>
  owned.filter(({ stage }) => stages.some(({ name }) => name === stage))
