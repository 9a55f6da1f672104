import { Counter, Gauge, type Metric as PromMetric, type Registry } from 'prom-client'
import type { Metric, Series } from './metric.ts'

/** A metric as it is served. */
export interface Instrument {
  readonly series: Series
  /** Takes all its series away. */
  clear(): void
}

/** @returns what serves the metric from the registry; it has no series until one is asked for */
export function openInstrument(registry: Registry, metric: Metric): Instrument {
  const make = metric.type === 'histogram' ? histogram : metric.type === 'counter' ? counter : gauge
  const instrument = make(registry, metric)
  instrument.clear() // prom-client begins those without labels with a 0
  return instrument
}

const configOf = (registry: Registry, { name, help, labels = {} }: Metric) => ({
  name,
  help,
  labelNames: Object.keys(labels),
  registers: [registry],
})

function counter(registry: Registry, metric: Metric): Instrument {
  const counter = new Counter(configOf(registry, metric))
  const clear = (): void => {
    counter.reset()
    if (!metric.labels) counter.remove()
  }
  return { series: (...labels) => counter.labels(...labels).inc, clear }
}

function gauge(registry: Registry, metric: Metric): Instrument {
  const gauge = new Gauge(configOf(registry, metric))
  const clear = (): void => {
    gauge.reset()
    if (!metric.labels) gauge.remove()
  }
  return { series: (...labels) => gauge.labels(...labels).set, clear }
}

interface Observed {
  readonly labels: Readonly<Record<string, string>>
  /** Per bucket, the last one without a bound. */
  readonly counts: number[]
  sum: number
}

/**
 * prom-client's own takes values one by one; a commit has five hundred, of which most are the same. The registry asks a
 * metric for its name and for its values, no more.
 */
function histogram(registry: Registry, { name, help, labels: declared = {}, buckets = [] }: Metric): Instrument {
  const names = Object.keys(declared)
  const all = new Map<string, Observed>()
  const observed = (labels: readonly string[]): Observed => {
    const key = labels.join()
    const known = all.get(key)
    if (known) return known
    const counts = Array.from({ length: buckets.length + 1 }, () => 0)
    const named = Object.fromEntries(names.map((label, at) => [label, labels[at] ?? '']))
    const fresh = { labels: named, counts, sum: 0 }
    all.set(key, fresh)
    return fresh
  }
  const get = async () => ({ name, help, type: 'histogram', values: [...all.values()].flatMap(valuesOf) })
  const valuesOf = ({ labels, counts, sum }: Observed) => {
    let count = 0
    const bounds = counts.map((more, at) => {
      count += more
      return { metricName: `${name}_bucket`, labels: { ...labels, le: String(buckets[at] ?? '+Inf') }, value: count }
    })
    return [
      ...bounds,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
  registry.registerMetric({ name, get } as unknown as PromMetric)
  const series: Series = (...labels) => {
    const into = observed(labels)
    return (value, times = 1) => {
      const bound = buckets.findIndex((upper) => value <= upper)
      const at = bound === -1 ? buckets.length : bound
      into.counts[at] = (into.counts[at] ?? 0) + times
      into.sum += value * times
    }
  }
  return { series, clear: () => all.clear() }
}
