import { parse, stringify } from 'yaml'

/*
 * Makes shortened copies of the rules and of Alertmanager's example, so that what takes minutes takes seconds. There is no
 * second file to keep: durations, and thresholds that are ages, are divided by one factor. Numbers of orders stay.
 */

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const duration = /(\d+)(ms|[smhd])/g

/** Below it, a threshold is not an age but a difference or a delay, which is reached at once. */
const minAgeSeconds = 60

export interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
}

interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}

/** Returns the rules of a file for Prometheus. */
export const rulesIn = (file: string): Rule[] => (parse(file) as Rules).groups.flatMap(({ rules }) => rules)

/** Returns the text of a file with the same rules, shortened. */
export function shortenRules(file: string, factor: number): string {
  const { groups } = parse(file) as Rules
  const shortened = groups.map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) => ({
      ...rule,
      expr: shortenExpression(rule.expr, factor),
      ...(rule.for && { for: shortenDuration(rule.for, factor) }),
    })),
  }))
  return stringify({ groups: shortened }, { lineWidth: 0 })
}

/** Shortens the ranges of an expression, the ages that it compares with, and the bucket that it asks for. */
export function shortenExpression(expr: string, factor: number): string {
  const divided = (seconds: string): string => String(Number(seconds) / factor)
  return expr
    .replace(/\[([^\]]+)\]/g, (_, range: string) => `[${shortenDuration(range, factor)}]`)
    .replace(/(_seconds\b[^<>]*>\s*)(\d+)\b/g, (whole, before: string, seconds: string) =>
      Number(seconds) < minAgeSeconds ? whole : `${before}${divided(seconds)}`,
    )
    .replace(/le=~"(\d+)\|\1\.0"/g, (_, seconds: string) => `le=~"${divided(seconds)}|${divided(seconds)}.0"`)
}

/** @returns whole milliseconds, as Prometheus and Alertmanager read them */
export function shortenDuration(text: string, factor: number): string {
  const ms = [...text.matchAll(duration)].reduce((sum, [, count, unit = '']) => {
    return sum + Number(count) * (unitsMs[unit] ?? Number.NaN)
  }, 0)
  return `${Math.round(ms / factor)}ms`
}

/** Returns the example of Alertmanager with its waits shortened, and with receivers at this address. */
export function shortenAlertmanager(file: string, factor: number, url: string): string {
  return file
    .replace(/((?:group_wait|group_interval|repeat_interval): )(\w+)/g, (_, name: string, text: string) => {
      return name + shortenDuration(text, factor)
    })
    .replace(/http:\/\/(pager|tickets):8080/g, `${url}/$1`)
}
