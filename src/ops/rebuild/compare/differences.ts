import { exactInteger } from '../../../order/money.ts'
import type { FoundHash } from './read-pairs.ts'

/** Says what a hash lacks of what the archive says. It stays right while orders are counted: both sides get them. */
export interface Difference {
  readonly key: string
  /** Amounts to add, by field. */
  readonly add: ReadonlyMap<string, number>
  /** Fields that hold no number. */
  readonly odd: readonly string[]
  /** The key is of another type. */
  readonly isReplaced: boolean
  /** The archive has nothing for it. */
  readonly isForeign: boolean
  /** When a key that is made expires, in seconds since 1970. */
  readonly expiresAt: number | undefined
}

/**
 * Compares a hash with its shadow. Returns undefined if they say the same.
 * @param owns says which fields of the live hash count; those of the shadow always do
 * @param more what the live hash has of entries that the shadow does not have yet
 * @throws RangeError for a difference beyond 2^53, which no script adds exactly
 */
export function differenceOf(
  { name: key, live, shadow }: { readonly name: string; readonly live: FoundHash; readonly shadow: FoundHash },
  more: ReadonlyMap<string, number> = new Map(),
  { owns = () => true, now = Date.now() }: { readonly owns?: (field: string) => boolean; readonly now?: number } = {},
): Difference | undefined {
  const isReplaced = live.fields === undefined
  const held = new Map([...(live.fields ?? [])].filter(([field]) => owns(field) || shadow.fields?.has(field)))
  const wanted = shadow.fields ?? new Map<string, string>()
  const add = new Map<string, number>()
  const odd: string[] = []
  let isForeign = true
  for (const field of new Set([...held.keys(), ...wanted.keys(), ...more.keys()])) {
    const value = (exactInteger(wanted.get(field)) ?? 0n) + BigInt(more.get(field) ?? 0)
    const text = held.get(field)
    const has = exactInteger(text)
    if (text !== undefined && has === undefined) odd.push(field)
    if (value !== 0n) isForeign = false
    const by = value - (has ?? 0n)
    if (by === 0n) continue
    if (!Number.isSafeInteger(Number(by))) throw new RangeError(`${key} ${field} is off by ${by}`)
    add.set(field, Number(by))
  }
  if (add.size === 0 && odd.length === 0 && !isReplaced) return undefined
  const { ttl } = live.ttl === undefined ? shadow : live
  return {
    key,
    add,
    odd,
    isReplaced,
    isForeign,
    expiresAt: ttl === undefined ? undefined : Math.floor(now / 1000) + ttl,
  }
}
