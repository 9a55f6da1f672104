import type { Metric as PromMetric, Registry } from 'prom-client'
import type { Exemplar } from './exemplar.ts'
import type { Metric, Series } from './metric.ts'

/*
 * A histogram that counts equal values together. prom-client's own takes one value a call, and a commit has five hundred
 * orders of which most waited equally long. The registry asks a metric only for `name` and `get()`, so this object has these
 * and nothing else. The one cast below hides that it is not a prom-client Metric.
 */

interface Observed {
  readonly labels: Readonly<Record<string, string>>
  /** Per bucket; the last one has no bound. */
  readonly counts: number[]
  /** The last one of each bucket that has one. The plain text has no place for them. */
  readonly exemplars: Exemplar[]
  sum: number
}

/** Registers a histogram. Its series count a value as many times as the caller says. */
export function openHistogram(registry: Registry, { name, help, labels = {}, buckets = [] }: Metric) {
  const names = Object.keys(labels)
  const all = new Map<string, Observed>()
  const observed = (values: readonly string[]): Observed => {
    const known = all.get(values.join())
    if (known) return known
    const counts = Array.from({ length: buckets.length + 1 }, () => 0)
    const own = Object.fromEntries(names.map((label, at) => [label, values[at] ?? '']))
    const fresh = { labels: own, counts, exemplars: [], sum: 0 }
    all.set(values.join(), fresh)
    return fresh
  }
  const get = async () => ({
    ...{ name, help, type: 'histogram' },
    values: [...all.values()].flatMap((one) => samplesOf(name, buckets, one)),
  })
  registry.registerMetric({ name, get } as unknown as PromMetric)
  const series: Series = (...values) => {
    const into = observed(values)
    return (value, times = 1, span) => {
      const bound = buckets.findIndex((upper) => value <= upper)
      const at = bound === -1 ? buckets.length : bound
      into.counts[at] = (into.counts[at] ?? 0) + times
      into.sum += value * times
      if (span) into.exemplars[at] = { labelSet: span, value, timestamp: Date.now() / 1_000 }
    }
  }
  return { series, clear: () => all.clear() }
}

/** Returns the samples of a series: buckets are cumulative, as Prometheus has them. */
function samplesOf(name: string, buckets: readonly number[], { labels, counts, exemplars, sum }: Observed) {
  let count = 0
  const bounds = counts.map((more, at) => {
    count += more
    const bucket = { ...labels, le: String(buckets[at] ?? '+Inf') }
    return { metricName: `${name}_bucket`, labels: bucket, value: count, exemplar: exemplars[at] }
  })
  return [
    ...bounds,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
