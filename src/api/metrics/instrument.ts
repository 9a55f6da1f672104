import { Counter, Gauge, type Registry } from 'prom-client'
import { openHistogram } from './histogram.ts'
import type { Metric, Series } from './metric.ts'

/** A metric as it is served. */
export interface Instrument {
  readonly series: Series
  /** Removes all its series. */
  clear(): void
}

/** Registers a metric. It has no series until one is asked for. */
export function openInstrument(registry: Registry, metric: Metric): Instrument {
  const make = metric.type === 'histogram' ? openHistogram : metric.type === 'counter' ? counter : gauge
  const instrument = make(registry, metric)
  instrument.clear() // prom-client starts those without labels at 0
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
