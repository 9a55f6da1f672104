import { parts } from '../routes/steering.ts'
import { stages } from './flow.ts'
import type { Metric } from './metric.ts'

/**
 * The series that a process with these roles has from its start: a counter that begins with its first event would hide that
 * event from `increase()`. Of label values that are roles, those of other processes are left to them.
 */
export function firstSeries({ labels = {}, by }: Metric, roles: readonly string[]): string[][] {
  const runs = (value: string): boolean => !parts.includes(value) || roles.includes(value)
  const serves = by === 'all' || (by === 'stages' ? stages.some((name) => roles.includes(name)) : roles.includes(by))
  if (!serves) return []
  return Object.values(labels).reduce<string[][]>(
    (all, values) =>
      typeof values === 'string' ? [] : all.flatMap((one) => values.filter(runs).map((value) => [...one, value])),
    [[]],
  )
}
