import type { Groups } from './merge.ts'

/**
 * Hashes that change the same fields share one shape: field names once, then per hash the number of its key and an amount per
 * field.
 */
export type Shape = readonly [fields: readonly string[], adds: readonly number[]]

/** The scores of a board: the number of its key, then scores and members, alternating. */
export type BoardScores = readonly (string | number)[]

/** Fields of a hash that one HMGET can take: Lua passes some 8,000 arguments at once. */
const maxFields = 1_000

/**
 * Encodes amounts to add to the fields of hashes, for effects.lua. Appends each hash's key to `names`; keys are numbered from
 * 1, as in Lua.
 */
export function encodeHashes(
  names: string[],
  hashes: Groups,
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

/** Encodes scores to raise, for effects.lua. Appends each board's key to `names`. */
export function encodeBoards(names: string[], boards: Groups): BoardScores[] {
  return [...boards].map(([key, scores]) => [
    names.push(key),
    ...[...scores].flatMap(([member, score]) => [score, member]),
  ])
}
