/** `warning`: it works, but not as it should. `error`: orders would be lost or would stop moving. */
export type Level = 'ok' | 'warning' | 'error'

/** The result of a check: what it found and what to do about it. */
export interface Finding {
  readonly check: string
  readonly level: Level
  readonly found: string
  readonly advice?: string
}

export const ok = (check: string, found: string): Finding => ({ check, level: 'ok', found })
export const warning = (check: string, found: string, advice: string): Finding => ({
  check,
  level: 'warning',
  found,
  advice,
})
export const error = (check: string, found: string, advice: string): Finding => ({
  check,
  level: 'error',
  found,
  advice,
})
/** Returns the finding for a value that the server does not show to us. */
export const unread = (check: string, advice: string): Finding =>
  warning(check, 'cannot be read', `Check it yourself: ${advice}.`)

const ranks: readonly Level[] = ['ok', 'warning', 'error']

export const isWorse = (a: Finding, b: Finding): boolean => ranks.indexOf(a.level) > ranks.indexOf(b.level)
