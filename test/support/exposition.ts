import { expect } from 'vitest'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The result of a scrape. */
export interface Scrape {
  readonly samples: readonly Sample[]
  /** The sum of a metric's series that have these labels; undefined where there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | undefined
}

export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`)
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  return scrapeOf(readExposition(await response.text()))
}

/** Several scrapes as one. */
export function scrapeOf(samples: readonly Sample[]): Scrape {
  const sum: Scrape['sum'] = (name, labels = {}) => {
    const found = samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    return found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0)
  }
  return { samples, sum }
}

const helpLine = /^# HELP ([a-zA-Z_:][\w:]*) (\S.*)$/
const typeLine = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary)$/
const label = String.raw`[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"`
const sampleLine = new RegExp(String.raw`^([a-zA-Z_:][\w:]*)(?:\{(${label}(?:,${label})*)\})? (\S+)$`)
const number = /^([+-]?Inf|nan|-?\d+(\.\d+)?(e[+-]?\d+)?)$/i

/**
 * Reads the text format as Prometheus does, and is stricter than it: HELP and TYPE stand before each metric, once; its samples
 * stand together and none twice; a counter is named so and a histogram is whole and cumulative.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function readExposition(text: string): Sample[] {
  expect(text.endsWith('\n')).toBe(true)
  const seen = new Set<string>()
  return text.split(/^(?=# HELP )/m).flatMap((family) =>
    readFamily(
      family.split('\n').filter((line) => line !== ''),
      seen,
    ),
  )
}

function readFamily([help = '', type = '', ...lines]: readonly string[], seen: Set<string>): Sample[] {
  const [, name = ''] = helpLine.exec(help) ?? expect.fail(`no HELP: ${help}`)
  const [, typed = '', kind = ''] = typeLine.exec(type) ?? expect.fail(`no TYPE: ${type}`)
  expect(typed).toBe(name)
  expect(seen, name).not.toContain(name)
  seen.add(name)
  if (kind === 'counter') expect(name).toMatch(/_total$/)
  const samples = lines.map(readSample)
  const names = kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
  for (const { name } of samples) if (!names.includes(name)) expect.fail(`${name} stands among ${names}`)
  const series = samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()]))
  expect(new Set(series).size, name).toBe(series.length)
  if (kind === 'histogram') requireWhole(name, samples)
  return samples
}

export function readSample(line: string): Sample {
  const [, name = '', labels = '', value = ''] = sampleLine.exec(line) ?? expect.fail(`no sample: ${line}`)
  if (!number.test(value)) expect.fail(`no number: ${line}`)
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  const named = Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text]))
  if (Object.keys(named).length !== pairs.length) expect.fail(`a label twice: ${line}`)
  return { name, labels: named, value: Number(value.replace('Inf', 'Infinity')) }
}

export function requireWhole(name: string, samples: readonly Sample[]): void {
  const groups = new Map<string, Sample[]>()
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const key = JSON.stringify(labels)
    groups.set(key, [...(groups.get(key) ?? []), sample])
  }
  for (const group of groups.values()) {
    const of = (part: string): Sample[] => group.filter((sample) => sample.name === `${name}_${part}`)
    const bounds = of('bucket').map(({ labels }) => Number(labels['le']?.replace('+Inf', 'Infinity')))
    const counts = of('bucket').map(({ value }) => value)
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b))
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
    expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY)
    expect(of('count').map(({ value }) => value)).toEqual([counts.at(-1)])
    expect(of('sum')).toHaveLength(1)
  }
}
