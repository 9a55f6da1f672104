import type { Events } from '../../events/fields.ts'
import type { Pipeline } from '../../stages/placed.ts'
import type { SpanLabels } from './exemplar.ts'

/*
 * Declares each metric once. The served metrics and the table in docs/reference/metrics.md come from the declaration.
 */

/** The values of a label, some by the pipeline; or a description, if only a running process knows them. */
export type LabelValues = readonly string[] | string | ((pipeline: Pipeline) => readonly string[])

/** Returns the values of a label in this pipeline. */
export const labelValues = (values: LabelValues, pipeline: Pipeline): readonly string[] | string =>
  typeof values === 'function' ? values(pipeline) : values

export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels?: Readonly<Record<string, LabelValues>>
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[]
  /** The processes that serve it: all, or those with this role. */
  readonly by: 'all' | 'bridge' | 'stages' | 'jobs' | 'api'
}

/**
 * Returns the series of a metric with these label values, in the order of its labels. The value is added to a counter, set on a
 * gauge, and observed `times` times by a histogram. There `span` becomes the exemplar of its bucket.
 */
export type Series = (...labels: string[]) => (value: number, times?: number, span?: SpanLabels) => void

/** A metric updated by events. */
export interface EventMetric extends Metric {
  readonly on: { readonly [E in keyof Events]?: (fields: Events[E], series: Series) => void }
}

/** A value and its labels. An unknown value is not served: a 0 would look like a real one. */
export type Sample = readonly [value: number | null | undefined, ...labels: string[]]

/** A metric that is read at each scrape. */
export interface ReadMetric<Reading> extends Metric {
  readonly read: (reading: Reading, pipeline: Pipeline) => readonly Sample[]
}
