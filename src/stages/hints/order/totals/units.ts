import type { Money } from '../../../../order/money.ts'
import { amountText, decimal, type Sums } from './sums.ts'

/** Returns a number in which an amount may be sent by mistake, and its name: the minor unit, and the usual fractions. */
function smallerUnits({ decimals, minorName }: Money): (readonly [factor: number, unit: string])[] {
  const usual = [
    [100, 'hundredths'],
    [1_000, 'thousandths'],
    [1_000_000, 'millionths'],
  ] as const
  const minor = 10 ** decimals
  const own = decimals === 0 ? [] : [[minor, `${minorName}s`] as const]
  return [...own, ...usual.filter(([factor]) => factor !== minor)]
}

/** Finds minor units, as cents, on one side and currency units on the other. */
export function minorUnits({ total, value, money, isSame }: Sums): string | undefined {
  for (const [factor, unit] of smallerUnits(money)) {
    if (total > 0 && isSame(total * factor, value)) {
      return `order_value (${value}) is exactly ${factor} times the total of the items (${amountText(total)}): it may be in ${unit}, so send currency units`
    }
    if (value > 0 && isSame(value * factor, total)) {
      return `The total of the items (${amountText(total)}) is exactly ${factor} times order_value (${value}): price_per_unit may be in ${unit}, so send currency units`
    }
  }
  return undefined
}

/** Finds an order_value that lacks the cents of the total. */
export function roundedValue({ total, value, money }: Sums): string | undefined {
  if (money.decimals === 0) return undefined
  if (!Number.isInteger(value) || Number.isInteger(decimal(total)) || Math.abs(value - total) >= 1) return undefined
  return `order_value (${value}) is the total of the items (${amountText(total)}) as a whole number: it may have been rounded, so send it with its ${money.minorName}s`
}
