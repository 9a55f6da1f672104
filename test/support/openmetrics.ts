import { expect } from 'vitest'
import { readSample, requireWhole, type Sample } from './exposition.ts'

/** A sample that may name the trace of one of the orders that it counts. */
export interface OpenSample extends Sample {
  readonly exemplar?: Sample
}

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** Scrapes as Prometheus does. */
export async function scrapeOpenly(url: string): Promise<OpenSample[]> {
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
  const response = await fetch(`${url}/metrics`, { headers: { accept } })
  expect([response.status, response.headers.get('content-type')]).toEqual([200, openMetricsType])
  return readOpenMetrics(await response.text())
}

const familyLine = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/
/** In HELP, as in labels, quotes are escaped. */
const helpText = /^(?:[^"\\]|\\["\\n])+$/
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  histogram: ['_bucket', '_sum', '_count', '_created'],
  gauge: [''],
}
/** Those of all types: a name of one family must not be that of a sample of another. */
const anySuffix = ['', '_total', '_created', '_bucket', '_sum', '_count', '_info']
const maxExemplarLength = 128

/**
 * Reads the text of OpenMetrics, and accepts nothing that its specification does not.
 * @see https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
export function readOpenMetrics(text: string): OpenSample[] {
  expect(text.endsWith('\n# EOF\n'), 'it ends with # EOF').toBe(true)
  const seen = new Set<string>()
  const families = text.slice(0, -'# EOF\n'.length).split(/^(?=# HELP )/m)
  return families.flatMap((family) => readFamily(family.slice(0, -1).split('\n'), seen))
}

function readFamily([help = '', type = '', ...lines]: readonly string[], seen: Set<string>): OpenSample[] {
  const [, , name = '', about = ''] = familyLine.exec(help) ?? expect.fail(`no HELP: ${help}`)
  expect(about).toMatch(helpText)
  const [, word, typed, kind = ''] = familyLine.exec(type) ?? expect.fail(`no TYPE: ${type}`)
  expect([word, typed]).toEqual(['TYPE', name])
  const own = suffixes[kind] ?? expect.fail(`no type: ${type}`)
  for (const suffix of anySuffix) expect(seen, name).not.toContain(`${name}${suffix}`)
  for (const suffix of ['', ...own]) seen.add(`${name}${suffix}`)
  const samples = lines.map(readOpenSample)
  const names = own.map((suffix) => `${name}${suffix}`)
  for (const sample of samples) if (!names.includes(sample.name)) expect.fail(`${sample.name} stands among ${names}`)
  requireGrouped(samples)
  if (kind === 'histogram') requireHistogram(name, samples)
  for (const { value } of samples.filter(({ name }) => name.endsWith('_created'))) {
    expect(value).toBeLessThanOrEqual(Date.now() / 1_000)
    expect(value, 'seconds').toBeGreaterThan(1_600_000_000)
  }
  return samples
}

function readOpenSample(line: string): OpenSample {
  const [own = '', given, ...more] = line.split(' # ')
  expect(more).toEqual([])
  const sample = readSample(own)
  if (given === undefined) return sample
  const [, labels = '', value = '', seconds] = /^(\{.+\}) (\S+) (\d+(?:\.\d+)?)$/.exec(given) ?? expect.fail(given)
  expect(sample.name).toMatch(/_(bucket|total)$/)
  expect(Number(seconds)).toBeLessThanOrEqual(Date.now() / 1_000)
  const exemplar = readSample(`exemplar${labels} ${value}`)
  expect(Object.entries(exemplar.labels).flat().join('').length).toBeLessThanOrEqual(maxExemplarLength)
  return { ...sample, exemplar }
}

const labelsOf = ({ labels: { le: _, ...own } }: Sample): string => JSON.stringify(Object.entries(own).sort())

/** All samples of a series stand together, and none twice. */
function requireGrouped(samples: readonly Sample[]): void {
  const ended = new Set<string>()
  let last: string | undefined
  for (const labels of samples.map(labelsOf)) {
    if (labels === last) continue
    expect(ended).not.toContain(labels)
    if (last !== undefined) ended.add(last)
    last = labels
  }
  const all = samples.map((sample) => `${sample.name} ${sample.labels['le']} ${labelsOf(sample)}`)
  expect(new Set(all).size).toBe(all.length)
}

function requireHistogram(name: string, samples: readonly OpenSample[]): void {
  const counts = samples.filter((sample) => !sample.name.endsWith('_created'))
  requireWhole(name, counts)
  let [above, below, series] = [Number.NEGATIVE_INFINITY, 0, '']
  for (const sample of counts.filter(({ labels }) => labels['le'])) {
    const { labels, exemplar } = sample
    const le = labels['le'] ?? ''
    expect(le, 'a bound of all clients').toMatch(/^(\d+\.\d+|\+Inf)$/)
    if (series !== labelsOf(sample)) [above, below, series] = [Number.NEGATIVE_INFINITY, 0, labelsOf(sample)]
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
    if (exemplar) {
      expect(exemplar.value > above && exemplar.value <= bound, `${exemplar.value} in ${le}`).toBe(true)
      expect(sample.value, 'an exemplar is of a bucket that counts it').toBeGreaterThan(below)
    }
    above = bound
    below = sample.value
  }
}
