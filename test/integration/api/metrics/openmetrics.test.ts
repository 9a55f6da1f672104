import { Counter, Gauge, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openHistogram } from '../../../../src/api/metrics/histogram.ts'
import { openMetricsText, prefersOpenMetrics } from '../../../../src/api/metrics/openmetrics.ts'
import { readExposition } from '../../../support/exposition.ts'
import { readOpenMetrics } from '../../../support/openmetrics.ts'

test.each([
  [
    'Prometheus 2',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  ],
  [
    'Prometheus 3',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
  ],
  ['its bare name', 'Application/OpenMetrics-Text'],
])('OpenMetrics is for %s', (_, accept) => {
  expect(prefersOpenMetrics(accept)).toBe(true)
})

test.each([
  ['no Accept', undefined],
  ['curl', '*/*'],
  ['a browser', 'text/html,application/xhtml+xml,*/*;q=0.8'],
  ['an old Prometheus', 'text/plain;version=0.0.4;q=1,*/*;q=0.1'],
  ['one that prefers the plain text', 'text/plain,application/openmetrics-text;q=0.9'],
  ['one that refuses it', 'application/openmetrics-text;q=0, */*'],
  ['nonsense', ';;q=,,application/openmetrics-text;q=high'],
])('the plain text is for %s', (_, accept) => {
  expect(prefersOpenMetrics(accept)).toBe(false)
})

const span = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' }

/** A registry with a metric of each type. */
function fill() {
  const registry = new Registry()
  const registers = [registry]
  const hostile = 'a "quoted"\\ text,\nof two lines'
  new Counter({ name: 'asked_total', help: hostile, labelNames: ['by'], registers }).inc({ by: hostile }, 3)
  new Counter({ name: 'booked_total', help: 'Booked.', registers }).inc(7)
  new Gauge({ name: 'ratio', help: 'A ratio.', registers }).set(Number.NEGATIVE_INFINITY)
  const waits = {
    name: 'wait_seconds',
    help: 'Waits.',
    type: 'histogram',
    labels: { hop: ['a', 'b'] },
    by: 'all',
  } as const
  const { series } = openHistogram(registry, { ...waits, buckets: [0.0005, 1, 10] })
  series('a')(0.4, 5)
  series('a')(0.4, 0, span)
  series('b')(70, 2, span)
  return registry
}

test('counters lose their suffix in the name of the family, whole bounds end in .0, and values have a beginning', async () => {
  const text = await openMetricsText(fill(), (name) => (name === 'booked_total' ? undefined : 1_700_000_000.5))
  expect(text.split('\n').filter((line) => /^(# TYPE )?(asked|booked|ratio)/.test(line))).toEqual([
    '# TYPE asked counter',
    'asked_total{by="a \\"quoted\\"\\\\ text,\\nof two lines"} 3',
    'asked_created{by="a \\"quoted\\"\\\\ text,\\nof two lines"} 1700000000.5',
    '# TYPE booked counter',
    'booked_total 7',
    '# TYPE ratio gauge',
    'ratio -Inf',
  ])
  expect(text).toContain('# HELP asked a \\"quoted\\"\\\\ text,\\nof two lines\n')
  const bounds = readOpenMetrics(text).flatMap(({ labels }) => labels['le'] ?? [])
  expect(bounds).toEqual(['0.0005', '1.0', '10.0', '+Inf', '0.0005', '1.0', '10.0', '+Inf'])
})

test('a traced value is the exemplar of its bucket and is counted once; the plain text has no exemplar', async () => {
  const registry = fill()
  const samples = readOpenMetrics(await openMetricsText(registry, () => undefined))
  const shown = samples.flatMap(({ labels, value, exemplar }) => (exemplar ? [{ ...labels, value, exemplar }] : []))
  expect(shown).toMatchObject([
    { hop: 'a', le: '1.0', value: 5, exemplar: { labels: span, value: 0.4 } },
    { hop: 'b', le: '+Inf', value: 2, exemplar: { labels: span, value: 70 } },
  ])
  const plain = await registry.metrics()
  expect(plain).not.toMatch(/trace_id|_created|EOF/)
  const names = readExposition(plain).map(({ name }) => name)
  expect(names).toEqual(samples.map(({ name }) => name))
})
