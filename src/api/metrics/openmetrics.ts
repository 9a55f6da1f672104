import type { Registry } from 'prom-client'
import type { Exemplar } from './exemplar.ts'

/*
 * The text of OpenMetrics 1.0. prom-client writes it, too, but it renames the counters of its registry for good, so that the
 * other format would have them without `_total`; and it has no `_created`.
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

interface Value {
  readonly value: number
  readonly labels?: Labels
  /** That of the metric, with a suffix. */
  readonly metricName?: string
  readonly exemplar?: Exemplar | undefined
}

type Labels = Readonly<Record<string, string | number>>

interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly Value[]
}

/**
 * Returns true for a scraper that prefers OpenMetrics to the plain text. Versions and escapings are not compared: nothing that
 * we write differs in them.
 */
export function prefersOpenMetrics(accept = ''): boolean {
  const weights = new Map<string, number>()
  for (const asked of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = asked.split(';').map((text) => text.trim())
    const q = parameters.find((text) => text.startsWith('q='))
    weights.set(type, Math.max(weights.get(type) ?? 0, q ? Number(q.slice(2)) || 0 : 1))
  }
  const weight = weights.get('application/openmetrics-text') ?? 0
  return weight > 0 && weight >= (weights.get('text/plain') ?? 0)
}

/**
 * Writes all metrics of a registry.
 * @param beganAt when a counter or histogram of this name began with 0, in seconds; undefined if it is unknown
 */
export async function openMetricsText(
  registry: Registry,
  beganAt: (name: string) => number | undefined,
): Promise<string> {
  const families = (await registry.getMetricsAsJSON()) as unknown as readonly Family[] // its types lack most of it
  return `${families.map((family) => familyText(family, beganAt(family.name))).join('')}# EOF\n`
}

function familyText({ name, help, type, values }: Family, beganAt: number | undefined): string {
  const family = type === 'counter' ? name.replace(/_total$/, '') : name
  const created = ({ labels = {} }: Value): string => `${family}_created${labelsText(labels)} ${beganAt}`
  const isLast = ({ metricName }: Value): boolean => type === 'counter' || metricName === `${name}_count`
  const lines = values.flatMap((one) => {
    const line = sampleText(type === 'counter' ? `${family}_total` : (one.metricName ?? name), one)
    return beganAt !== undefined && isLast(one) ? [line, created(one)] : [line]
  })
  return [`# HELP ${family} ${escaped(help)}`, `# TYPE ${family} ${type}`, ...lines, ''].join('\n')
}

function sampleText(name: string, { labels = {}, value, exemplar }: Value): string {
  const sample = `${name}${labelsText(labels)} ${numberText(value)}`
  if (!exemplar) return sample
  return `${sample} # ${labelsText(exemplar.labelSet)} ${numberText(exemplar.value)} ${exemplar.timestamp}`
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    return `${name}="${name === 'le' ? boundText(value) : escaped(String(value))}"`
  })
  return pairs.length > 0 ? `{${pairs.join()}}` : ''
}

/** The format has whole bounds as 1.0, so that all clients have the same series. */
const boundText = (bound: string | number): string => (Number.isInteger(Number(bound)) ? `${bound}.0` : String(bound))

const numberText = (value: number): string => String(value).replace('Infinity', 'Inf').replace(/^Inf/, '+Inf')

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
