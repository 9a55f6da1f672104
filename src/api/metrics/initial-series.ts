import type { Pipeline } from '../../stages/placed.ts'
import { labelValues, type Metric } from './metric.ts'

/**
 * The series that a process with these roles has from its start: a counter that begins with its first event would hide that
 * event from `increase()`. Of label values that are roles, those of other processes are left to them.
 */
export function initialSeries(pipeline: Pipeline, { labels = {}, by }: Metric, roles: readonly string[]): string[][] {
  const { names, components } = pipeline
  const runs = (value: string): boolean => !components.includes(value) || roles.includes(value)
  const serves = by === 'all' || (by === 'stages' ? names.some((name) => roles.includes(name)) : roles.includes(by))
  if (!serves) return []
  return Object.values(labels).reduce<string[][]>(
    (all, of) => {
      const values = labelValues(of, pipeline)
      return typeof values === 'string' ? [] : all.flatMap((one) => values.filter(runs).map((value) => [...one, value]))
    },
    [[]],
  )
}
