import { quote, visible } from '../../quote.ts'
import type { Found } from './found.ts'

/** Describes a number in another form than that of JSON. */
export function numberText({ token, where, of }: Found): string {
  const shown = `${quote(token)} ${where}${of}`
  const [sign, digits] = /^[+-]/.test(token) ? [token[0], token.slice(1)] : ['', token]
  const is = (what: string, advice: string): string => `${shown} ${what}: ${advice}`
  if (/^0x[\da-f]+$/i.test(digits)) return is('is a hexadecimal number', 'write it in decimal digits')
  if (/^[1-9]\d{3}-\d\d-\d\d/.test(token)) return is('looks like a date without quotes', 'put it in double quotes')
  if (/^\d+(?:_\d+)+/.test(digits)) return is('has underscores between its digits', 'write digits only')
  if (/^0\d+(?:\.\d*)?$/.test(digits))
    return is('is a number with a leading zero', 'remove the zero, or send a text in double quotes')
  if (sign === '+') return is('is a number with a plus sign', 'remove the sign')
  if (/^\.\d+$/.test(digits))
    return is('is a number without a digit before its point', `write ${visible(`${sign}0${digits}`)}`)
  if (/^\d+\.$/.test(digits))
    return is('is a number without a digit after its point', 'remove the point or add a digit')
  if (/^\d+(?:\.\d+)?[dfLmnM]$/.test(digits)) return is('is a number with a suffix', 'write the digits only')
  if (/^[\d.]+\p{Sc}$|^[\d.]+[A-Z]{3}$/u.test(digits)) return is('is a number with a currency', 'write the digits only')
  if (/^\d+(?:\.\d+){2,}$/.test(digits))
    return is('has more than one point', 'write one decimal point and no thousands separators')
  return is('is no number of JSON', 'write digits with at most one decimal point, or a text in double quotes')
}

/** Describes a number in the place of a name: the rest of a number with a decimal comma. */
export function decimalCommaText({ body, at, where, key }: Found): string {
  const found = /[\d.]{1,12},$/.exec(body.slice(Math.max(0, at - 13), at))?.[0]
  const decimals = /^\d{1,6}(?![\d.])/.exec(body.slice(at, at + 7))?.[0]
  const isDecimal = found !== undefined && decimals !== undefined
  const example = isDecimal
    ? ` (${found}${decimals}): write ${found.slice(0, -1)}.${decimals}`
    : ': write a decimal point'
  return `A number stands ${where} where a name must follow, so \`${visible(key)}\` may have a decimal comma${example}`
}

/** Returns whether a number comes before an index, with or without blanks between. */
export const isAfterNumber = (body: string, at: number): boolean => /\d\s*$/.test(body.slice(Math.max(0, at - 8), at))
