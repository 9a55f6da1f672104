export const sum = (numbers: Iterable<number>): number => sumBy(numbers, (number) => number)

/** Adds up a number of each item. */
export function sumBy<T>(items: Iterable<T>, numberOf: (item: T) => number): number {
  let total = 0
  for (const item of items) total += numberOf(item)
  return total
}
