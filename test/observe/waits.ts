import type { RecordableHistogram } from 'node:perf_hooks'
import { measureLatency } from '../../bench/latency.ts'
import { metrics } from '../../src/api/metrics/metrics.ts'
import { until } from '../support/until.ts'
import type { Prometheus } from './prometheus.ts'

/** The label `system` of the stages that the benchmark runs. */
export const benchSystem = 'benchmark'

/** A load that two busy cores keep up with. */
const ordersPerSecond = 300

/** A percentile as Prometheus computes it, and as the benchmark measures it from outside. */
export interface Wait {
  readonly of: string
  readonly percent: number
  readonly prometheusS: number | undefined
  readonly outsideS: number
  /** Upper bounds of the histogram's buckets. */
  readonly buckets: readonly number[]
}

/** Runs the latency benchmark with its metrics at this port, which Prometheus scrapes, and compares. */
export async function compareWaits(prometheus: Prometheus, metricsPort: number): Promise<Wait[]> {
  const { ranked, validated, endSeconds, seconds } = await measureLatency(ordersPerSecond, { metricsPort })
  const ask = async (name: string, matchers: string, percent: number): Promise<number | undefined> => {
    const series = `${name}_bucket{system="${benchSystem}"${matchers}}`
    const during = `increase(${series}[${seconds}s] @ ${endSeconds.toFixed(3)})`
    return prometheus.value(`histogram_quantile(${percent / 100}, sum by (le) (${during}))`)
  }
  const compared = async (
    of: string,
    name: string,
    matchers: string,
    outside: RecordableHistogram,
  ): Promise<Wait[]> => {
    const buckets = metrics.find((metric) => metric.name === name)?.buckets ?? []
    return Promise.all(
      [50, 99].map(async (percent) => {
        const prometheusS = await ask(name, matchers, percent)
        return { of, percent, prometheusS, outsideS: outside.percentile(percent) / 1_000_000, buckets }
      }),
    )
  }
  await until('Prometheus to have scraped the benchmark', () => ask('orders_hop_wait_seconds', '', 50), Number.isFinite)
  const hop = await compared('the hop to validate', 'orders_hop_wait_seconds', ',hop="validate"', validated)
  return [...hop, ...(await compared('sent to ranked', 'orders_critical_time_seconds', '', ranked))]
}

/** Returns how many buckets lie between two values: 0 is the same one, 1 the next. */
export function bucketsApart(buckets: readonly number[], one: number, other: number): number {
  const at = (value: number): number => buckets.filter((bound) => bound < value).length
  return Math.abs(at(one) - at(other))
}
