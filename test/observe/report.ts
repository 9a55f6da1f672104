import { table } from '../../bench/harness.ts'
import type { PanelQuery } from './dashboard.ts'
import type { Series } from './prometheus.ts'
import type { Outage } from './redis-away.ts'
import { bucketsApart, type Wait } from './waits.ts'
import type { Observed } from './watch.ts'

/** A part of the report: its text, and what is wrong in it. */
export interface Part {
  readonly text: string
  readonly faults: readonly string[]
}

const seconds = (value: number | undefined): string => (value === undefined ? 'never' : `${value.toFixed(1)} s`)

/** Reports how long each rule took to fire and to resolve. @param rules of the file of alerts */
export function alertsPart(rules: readonly string[], observed: readonly Observed[]): Part {
  const rows = rules.map((rule) => observed.find((one) => one.rule === rule) ?? { rule, cause: 'none', ...never })
  const cells = rows.map(({ rule, cause, firedS, resolvedS }) => [rule, seconds(firedS), seconds(resolvedS), cause])
  const faults = rows.flatMap(({ rule, firedS, resolvedS }) => [
    ...(firedS === undefined ? [`${rule} did not fire`] : []),
    ...(resolvedS === undefined ? [`${rule} did not resolve`] : []),
  ])
  return { text: table(['rule', 'fired after', 'resolved after', 'cause'], cells), faults }
}

const never = { firedS: undefined, resolvedS: undefined }

/** Reports which values each query of the dashboard gave over the run. */
export function queriesPart(queries: readonly (PanelQuery & { readonly series: readonly Series[] })[]): Part {
  const rows = queries.map(({ panel, legend, expr, series }) => {
    const values = series.flatMap(({ values }) => values.map(([, value]) => Number(value))).filter(Number.isFinite)
    return { panel, legend, expr, series: series.length, most: values.length > 0 ? Math.max(...values) : undefined }
  })
  const cells = rows.map(({ panel, legend, series, most }) => [panel, legend, series, most?.toPrecision(4) ?? 'none'])
  return {
    text: table(['panel', 'query', 'series', 'largest value'], cells),
    faults: rows.flatMap(({ most, panel, expr }) =>
      most === undefined ? [`${panel} never had a value: ${expr}`] : [],
    ),
  }
}

/** Reports what an outage of Redis sends. */
export function outagePart({ fired, inhibited, sent }: Outage): Part {
  const pages = sent.filter(({ receiver }) => receiver === 'pager')
  const named = new Set(pages.flatMap(({ alerts }) => alerts))
  const list = (names: Iterable<string>): string => [...names].sort().join(', ') || 'none'
  const lines = [
    `fired: ${list(fired)}`,
    `of these inhibited: ${list(inhibited)}`,
    `pages: ${pages.length}, of ${list(named)}`,
  ]
  const isOne = pages.length === 1 && named.size === 1 && named.has('OrdersRedisAway')
  return {
    text: lines.join('\n'),
    faults: isOne ? [] : [`an outage of Redis sent ${pages.length} pages of ${list(named)}`],
  }
}

/** Reports percentiles by Prometheus next to the same from outside. They may lie in neighboring buckets. */
export function waitsPart(waits: readonly Wait[]): Part {
  const ms = (s: number | undefined): string => (s === undefined ? 'none' : `${(1_000 * s).toFixed(2)} ms`)
  const rows = waits.map(({ of, percent, prometheusS, outsideS, buckets }) => {
    const apart = prometheusS === undefined ? Number.NaN : bucketsApart(buckets, prometheusS, outsideS)
    return { name: `p${percent} of ${of}`, prometheusS, outsideS, apart, isNear: apart <= 1 }
  })
  const cells = rows.map(({ name, prometheusS, outsideS, apart, isNear }) => {
    return [name, ms(prometheusS), ms(outsideS), apart, isNear ? 'yes' : 'no']
  })
  return {
    text: table(['wait', 'by Prometheus', 'from outside', 'buckets apart', 'within one bucket'], cells),
    faults: rows.filter(({ isNear }) => !isNear).map(({ name }) => `${name}: Prometheus and the benchmark differ`),
  }
}
