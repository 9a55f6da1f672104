import type { Money } from '../../../order/money.ts'
import { quote } from '../quote.ts'
import type { JsonObject } from '../reading.ts'

/** Describes a `currency` other than that of the system, and says what to send. */
export function currencyHint({ currency }: JsonObject, { code }: Money): string | undefined {
  if (code === undefined) return undefined
  if (typeof currency !== 'string') return `\`currency\` is no text: send ${code} as text, or leave \`currency\` out`
  return `\`currency\` is ${quote(currency)}, and this system counts ${code} alone: convert all amounts, and send ${code} or leave \`currency\` out`
}
