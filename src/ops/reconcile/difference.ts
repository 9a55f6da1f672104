import { OrdersError } from '../../errors.ts'
import { exactInteger } from '../../order/money.ts'

/** A hash as it is. */
export interface FoundHash {
  /** Undefined if the key is no hash. */
  readonly fields: ReadonlyMap<string, string> | undefined
  /** In seconds; undefined if it does not expire, or does not exist. */
  readonly ttl: number | undefined
}

/** Says what a hash lacks of what is true. It stays right while orders are counted: both sides get them. */
export interface Difference {
  readonly key: string
  /** Amounts to add, by field. */
  readonly add: ReadonlyMap<string, number>
  /** Fields that hold no number. */
  readonly odd: readonly string[]
  /** The key is of another type. */
  readonly isReplaced: boolean
  /** All its fields should be 0. */
  readonly isForeign: boolean
  /** When a key that is made expires, in seconds since 1970. */
  readonly expiresAt: number | undefined
}

/**
 * Compares a hash with its shadow: what is true. Returns undefined if they say the same.
 * @param owns says which fields of the live hash count; those of the shadow always do
 * @param more what the live hash has of entries that the shadow does not have yet
 * @throws OrdersError ORD_BOOKS for a difference beyond 2^53, which no script adds exactly
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
    if (!Number.isSafeInteger(Number(by))) throw tooLarge(key, field, by)
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

const tooLarge = (key: string, field: string, by: bigint): OrdersError =>
  new OrdersError(
    'ORD_BOOKS',
    `${key} ${field} is off by ${by}, which is too much to add exactly: delete the field (HDEL), and run this again.`,
  )
