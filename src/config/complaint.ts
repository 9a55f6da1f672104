import { redactUrl } from '../redact.ts'
import type { Variable } from './variable.ts'
import { variables } from './variables.ts'

/** Says which value of a variable is invalid and what to set instead. The value of a secret is not shown. */
export function complaint(name: string, given: unknown, expected: string): string {
  const { isSecret = false } = Object.values<Variable>(variables).find((variable) => variable.name === name) ?? {}
  const shown = isSecret ? '***' : redactUrl(String(given))
  return `${name} is ${JSON.stringify(shown)}: expected ${expected}.`
}
