/** Returns the name that a mistyped one is nearest to, or undefined if none is near: a third of it may differ. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(typed.length / 3))
  const near = names
    .map((name) => ({ name, edits: name.startsWith(typed) && typed.length > 1 ? 0 : editsBetween(typed, name) }))
    .filter(({ edits }) => edits <= limit)
  return near.sort((one, other) => one.edits - other.edits)[0]?.name
}

/** Counts the letters to insert, delete, replace or swap with the next one, to turn one word into the other. */
function editsBetween(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)]
  const cost = (row: number, column: number): number => rows[row]?.[column] ?? Number.POSITIVE_INFINITY
  for (let i = 1; i <= one.length; i++) {
    rows.push([i])
    for (let j = 1; j <= other.length; j++) {
      const replaced = cost(i - 1, j - 1) + Number(one[i - 1] !== other[j - 1])
      const isSwapped = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      const swapped = isSwapped ? cost(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY
      rows[i]?.push(Math.min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, replaced, swapped))
    }
  }
  return cost(one.length, other.length)
}
