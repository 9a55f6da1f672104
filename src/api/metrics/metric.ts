import type { Events } from '../../telemetry.ts'

/*
 * How a metric is declared: once, with all that is known of it. What is served and the table in docs/reference/metrics.md come from
 * the declaration.
 */

/** The values a label can have; or in words where they come from, if only a running process knows them. */
export type LabelValues = readonly string[] | string

export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels?: Readonly<Record<string, LabelValues>>
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[]
  /** The processes that serve it: all, or those with this part. */
  readonly by: 'all' | 'bridge' | 'stages' | 'jobs' | 'api'
}

/**
 * The series of a metric with these label values, in the order of its labels. What it is told is added to a counter, is
 * the value of a gauge, and is counted so many times by a histogram.
 */
export type Series = (...labels: string[]) => (value: number, times?: number) => void

/** A metric that is made of events, as they happen. */
export interface EventMetric extends Metric {
  readonly on: { readonly [E in keyof Events]?: (fields: Events[E], series: Series) => void }
}

/** A value and its labels; one that is not known is not served: a 0 would be taken for one. */
export type Sample = readonly [value: number | null | undefined, ...labels: string[]]

/** A metric that is read at each scrape. */
export interface ReadMetric<Reading> extends Metric {
  readonly read: (reading: Reading) => readonly Sample[]
}
