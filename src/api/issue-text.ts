import type { z } from 'zod'

const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a text',
}

/** Says in the words of the other messages what a field must be. A schema's own message stays as it is. */
export function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'is not known'
  if (issue.message.endsWith('received undefined')) return 'is required' // JSON has no such word
  return /^(Invalid|Too (small|big))\b/.test(issue.message) ? (expectedText(issue) ?? issue.message) : issue.message
}

function expectedText(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code === 'invalid_type') return kinds[issue.expected] && `must be ${kinds[issue.expected]}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`
  if (issue.code === 'too_small') return `must ${sizeText(issue.origin, 'at least', issue.minimum)}`
  return issue.code === 'too_big' ? `must ${sizeText(issue.origin, 'at most', issue.maximum)}` : undefined
}

function sizeText(origin: string, bound: string, size: number | bigint): string {
  if (origin === 'string') return `have ${bound} ${size} character${size === 1 ? '' : 's'}`
  return origin === 'array' ? `have ${bound} ${size} element${size === 1 ? '' : 's'}` : `be ${bound} ${size}`
}
