import * as iso4217 from 'dinero.js/currencies'

/** A currency of ISO 4217, with the number of decimals of its minor unit. */
export interface Currency {
  readonly code: string
  readonly decimals: number
}

/**
 * Finds a currency by its code. Returns undefined where ISO 4217 does not list it, and for metals and funds without a minor
 * unit (XAU, XXX), which the package leaves out. `Intl` will not do: it gives HUF, PKR and others no decimals.
 */
export function currencyOf(code: string): Currency | undefined {
  const found = currencies.get(code)
  return found && { code, decimals: found.base === 10 ? found.exponent : decimalsOfFifths }
}

const currencies = new Map(Object.values(iso4217).map((one) => [one.code as string, one as Listed]))

interface Listed {
  readonly base: number
  readonly exponent: number
}

/** Of MGA and MRU, whose minor unit is a fifth: ISO 4217 writes it with two. */
const decimalsOfFifths = 2
