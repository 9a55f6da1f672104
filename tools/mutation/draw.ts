import { type Change, changeOf, type Edit } from './change.ts'
import { luaEdits } from './lua.ts'
import { typescriptEdits } from './typescript.ts'

/** Every change of a file, each once. */
export function changesOf(file: string, text: string): Change[] {
  const edits: Edit[] = file.endsWith('.lua') ? luaEdits(text) : typescriptEdits(text)
  const changes = edits.map((edit) => changeOf(file, text, edit)).filter(({ before, after }) => before !== after)
  return [...new Map(changes.map((change) => [change.id, change])).values()]
}

/**
 * Draws changes from files: each file gets a share by its number of changed lines, and a line is drawn twice only after each
 * was drawn once. The same seed, files and count give the same changes.
 */
export function draw(files: ReadonlyMap<string, string>, count: number, seed: number): Change[] {
  const random = randomOf(seed)
  const pools = [...files]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([file, text]) => linesFirst(shuffled(changesOf(file, text), random)))
    .filter((pool) => pool.length > 0)
  const sizes = pools.map((pool) => new Set(pool.map(({ line }) => line)).size)
  const shares = sharesOf(sizes, count)
  return pools.flatMap((pool, at) => pool.slice(0, shares[at]))
}

/** Splits a count by sizes: whole numbers that sum to it, by largest remainder. */
export function sharesOf(sizes: readonly number[], count: number): number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const exact = sizes.map((size) => (size * count) / Math.max(total, 1))
  const shares = exact.map(Math.floor)
  let left = count - shares.reduce((sum, share) => sum + share, 0)
  const byRemainder = exact.map((share, at) => [share % 1, at] as const).toSorted(([one], [other]) => other - one)
  for (const [, at] of byRemainder) if (left-- > 0) shares[at] = (shares[at] ?? 0) + 1
  return shares
}

function linesFirst(changes: readonly Change[]): Change[] {
  const seen = new Set<number>()
  const [first, again]: [Change[], Change[]] = [[], []]
  for (const change of changes) {
    ;(seen.has(change.line) ? again : first).push(change)
    seen.add(change.line)
  }
  return [...first, ...again]
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => [random(), item] as const)
    .toSorted(([one], [other]) => one - other)
    .map(([, item]) => item)
}

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
