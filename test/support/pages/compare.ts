import { userInfo } from 'node:os'
import type { Expected } from './blocks.ts'

/**
 * Maps what differs from run to run to what replaces it before a page and an output are compared. Everything else must be
 * the same, but for `…`: on a line of its own it stands for any lines, in a line for any text, in JSON for any value or for
 * more fields of the objects.
 */
const varying: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  [/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, '<uuid>'],
  [/\b\d+ (s|min) ago\b */g, '<ago> '],
  [/\b\d{1,2}s\b/g, '<age>'],
  [/\b\d{13,}-\d+\b/g, '<entry>'],
  [/\b(localhost|127\.0\.0\.1):\d+/g, 'localhost:<port>'],
  [/\borders-[\da-f]{8}\b/g, 'orders'],
  [new RegExp(`\\b(${userInfo().username}|ada)\\b *`, 'g'), '<operator> '],
]

export const steady = (text: string): string =>
  varying.reduce((left, [what, name]) => left.replaceAll(what, name), text)

/** Replaces all numbers, for `text numbers vary`. */
const withoutNumbers = (text: string): string => text.replaceAll(/ *\d[\d,.]*\d|\d/g, ' <number>')

/** Returns whether an output is what a page shows. */
export function isAsShown(expected: Expected, actual: string): boolean {
  const free = expected.info === 'numbers vary' ? withoutNumbers : (text: string): string => text
  if (expected.language === 'json') return sameJson(expected.text, actual)
  return patternOf(free(steady(expected.text).trim())).test(`${free(steady(actual).trim())}\n`)
}

function patternOf(shown: string): RegExp {
  const lines = shown.split('\n').map((line) => {
    if (line.trim() === '…') return '(?:.*\n)*?'
    return `${line.trimEnd().split('…').map(RegExp.escape).join('.*')} *\n`
  })
  return new RegExp(`^${lines.join('')}$`)
}

function sameJson(shown: string, actual: string): boolean {
  const plain = shown
    .replaceAll(/^( *)…\n(?= *\])/gm, '$1"…"\n')
    .replaceAll(/^( *)…\n(?= *\})/gm, '$1"…": "…"\n')
    .replaceAll(/: …/g, ': "…"')
  return matches(JSON.parse(steady(plain)), JSON.parse(steady(actual)))
}

function matches(shown: unknown, given: unknown): boolean {
  if (shown === '…') return true
  if (typeof shown === 'string' && typeof given === 'string') return patternOf(shown).test(`${given}\n`)
  if (typeof shown !== 'object' || shown === null || typeof given !== 'object' || given === null) return shown === given
  if (Array.isArray(shown) !== Array.isArray(given)) return false
  const found = new Map(Object.entries(given))
  const isRest = ([key, value]: [string, unknown]): boolean => value === '…' && (key === '…' || Array.isArray(shown))
  const all = Object.entries(shown)
  const expected = all.filter((one) => !isRest(one))
  if (all.length === expected.length && expected.length !== found.size) return false
  return expected.every(([key, value]) => found.has(key) && matches(value, found.get(key)))
}
