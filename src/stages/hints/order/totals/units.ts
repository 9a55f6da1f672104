import { amountText, decimal, isSameAmount, type Sums } from './sums.ts'

/** Finds cents on one side and currency units on the other. */
export function minorUnits({ total, value }: Sums): string | undefined {
  for (const [factor, unit] of [
    [100, 'cents'],
    [1_000, 'thousandths'],
    [1_000_000, 'millionths'],
  ] as const) {
    if (total > 0 && isSameAmount(total * factor, value)) {
      return `order_value (${value}) is exactly ${factor} times the total of the items (${amountText(total)}): it may be in ${unit}, so send currency units`
    }
    if (value > 0 && isSameAmount(value * factor, total)) {
      return `The total of the items (${amountText(total)}) is exactly ${factor} times order_value (${value}): price_per_unit may be in ${unit}, so send currency units`
    }
  }
  return undefined
}

/** Finds an order_value that lacks the cents of the total. */
export function roundedValue({ total, value }: Sums): string | undefined {
  if (!Number.isInteger(value) || Number.isInteger(decimal(total)) || Math.abs(value - total) >= 1) return undefined
  return `order_value (${value}) is the total of the items (${amountText(total)}) as a whole number: it may have been rounded, so send it with its cents`
}
