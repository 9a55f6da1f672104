import { type Line, productText, type Sums } from './sums.ts'

/** Finds an item that is listed twice and counted once. */
export function repeatedItem({ lines, total, value, isSame }: Sums): string | undefined {
  const at = lines.findIndex((line) => line.total > 0 && isSame(total - line.total, value))
  const line = lines[at]
  if (!line) return undefined
  const twin = lines.findIndex((other, index) => index > at && isSameItem(line, other))
  if (twin === -1) return undefined
  return `The total is too high by exactly item ${twin + 1} (${productText(line)}): it may be a copy of item ${at + 1}`
}

function isSameItem(one: Line, other: Line | undefined): boolean {
  return one.item['product_id'] === other?.item['product_id'] && one.total === other?.total && one.price === other.price
}

/** Finds an item that order_value leaves out or counts twice, or one piece more or less. */
export function oneItem(sums: Sums): string | undefined {
  const { lines, total, value, isSame } = sums
  const at = lines.findIndex((line) => line.total > 0 && isSame(total - line.total, value))
  if (at !== -1 && lines.length > 1) {
    return `The total is too high by exactly item ${at + 1} (${productText(lines[at])}): order_value may leave it out`
  }
  const again = lines.findIndex((line) => line.total > 0 && isSame(total + line.total, value))
  if (again === -1) return onePiece(sums)
  return `The total is too low by exactly item ${again + 1} (${productText(lines[again])}): order_value may count it twice`
}

function onePiece({ lines, total, value, isSame }: Sums): string | undefined {
  const at = lines.findIndex((line) => line.price > 0 && isSame(Math.abs(value - total), line.price))
  if (at === -1) return undefined
  const [many, how] = total < value ? ['low', 'one more'] : ['high', 'one less']
  return `The total is too ${many} by exactly one piece of item ${at + 1} (${lines[at]?.price}): its quantity may be ${how} than ${lines[at]?.quantity}`
}
