import type { Amounts, Ranks } from './merge.ts'

/**
 * Hashes that change the same fields share one shape: field names once, then per hash the number of its key and an amount per
 * field.
 */
export type Shape = readonly [fields: readonly string[], adds: readonly number[]]

/**
 * Members that are ranked on the same boards by as many hashes: per board the number of its key and the fields that it adds up,
 * then how many hashes a member has, then the members, each followed by the numbers of its hashes' keys.
 */
export type RankShape = readonly [
  boards: readonly (readonly [key: number, fields: readonly string[]])[],
  hashes: number,
  members: readonly (string | number)[],
]

/** Fields of a hash that one HMGET can take: Lua passes some 8,000 arguments at once. */
const maxFields = 1_000

/**
 * Returns a function that gives a key its number, from 1 as in Lua. It appends the key to `names` the first time.
 * @param numbers of keys that are there already
 */
export function numbering(names: string[], numbers: ReadonlyMap<string, number> = new Map()): (key: string) => number {
  const known = new Map(numbers)
  return (key) => {
    const number = known.get(key) ?? names.push(key)
    known.set(key, number)
    return number
  }
}

/**
 * Encodes amounts to add to the fields of hashes, for effects.lua. Appends each hash's key to `names`; keys are numbered from
 * 1, as in Lua.
 */
export function encodeHashes(
  names: string[],
  hashes: Amounts,
): { readonly shapes: readonly Shape[]; readonly numberOf: ReadonlyMap<string, number> } {
  const shapes = new Map<string, [fields: string[], adds: number[]]>()
  const numberOf = new Map<string, number>()
  for (const [key, amounts] of hashes) {
    const number = names.push(key)
    numberOf.set(key, number)
    const all = [...amounts.keys()]
    for (let from = 0; from < all.length; from += maxFields) {
      const fields = all.length > maxFields ? all.slice(from, from + maxFields) : all
      const name = JSON.stringify(fields)
      const shape = shapes.get(name) ?? [fields, []]
      shapes.set(name, shape)
      shape[1].push(number, ...fields.map((field) => amounts.get(field) ?? 0))
    }
  }
  return { shapes: [...shapes.values()], numberOf }
}

/**
 * Encodes members to rank, for effects.lua. Appends the keys of boards and hashes to `names`.
 * @param numberOf the numbers of hashes that are there already
 */
export function encodeRanks(names: string[], ranks: Ranks, numberOf: ReadonlyMap<string, number>): RankShape[] {
  const numberIn = numbering(names, numberOf)
  return [...ranks.values()].flatMap((members) => {
    const shapes = Map.groupBy(members, ([, { hashes }]) => hashes.length)
    return [...shapes].map(([count, alike]): RankShape => {
      const boards = alike[0]?.[1].boards ?? []
      return [
        boards.map(({ board, fields }) => [numberIn(board), fields]),
        count,
        alike.flatMap(([member, { hashes }]) => [member, ...hashes.map(numberIn)]),
      ]
    })
  })
}

/** Keys that expire together: when, in seconds since 1970, and their numbers. */
export type Expiring = readonly [at: number, ...keys: number[]]

/** Encodes the expiry of keys, for effects.lua. A key that no effect writes has no number, and is left out. */
export function encodeExpiries(names: readonly string[], expiries: ReadonlyMap<string, number>): Expiring[] {
  if (expiries.size === 0) return []
  const byTime = new Map<number, number[]>()
  for (const [at, name] of names.entries()) {
    const time = expiries.get(name)
    if (time === undefined) continue
    const keys = byTime.get(time) ?? []
    keys.push(at + 1)
    byTime.set(time, keys)
  }
  return [...byTime].map(([time, keys]) => [time, ...keys])
}
