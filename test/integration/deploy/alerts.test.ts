import { readFileSync } from 'node:fs'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { metrics } from '../../../src/api/metrics/metrics.ts'
import { loadCommands } from '../../../src/ops/cli.ts'
import { archiveRole, deployedRoles } from '../../support/deployed-roles.ts'
import { readExpression } from '../../support/promql.ts'

const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')

/** Accepts what promtool accepts, and requires more of each rule. */
const rulesFile = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^Orders[A-Z]\w+$/),
          expr: z.string(),
          for: z
            .string()
            .regex(/^(\d+(ms|[smhdwy]))+$/)
            .optional(),
          labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.strictObject({ summary: z.string().min(10), runbook: z.string() }),
        }),
      ),
    }),
  ),
})
const rules = rulesFile.parse(parse(read('deploy/prometheus/alerts.yml'))).groups.flatMap(({ rules }) => rules)

const runbook = read('docs/runbook.md')
const sections = new Map(
  runbook
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.split('\n')[0] ?? '', text]),
)

/** Names of series with the labels that each can have; what Prometheus adds is on all. */
const known = new Map<string, readonly string[]>([['up', []]])
for (const { name, type, labels = {} } of metrics) {
  const names = Object.keys(labels)
  if (type !== 'histogram') known.set(name, names)
  else
    for (const part of ['bucket', 'sum', 'count'])
      known.set(`${name}_${part}`, part === 'bucket' ? [...names, 'le'] : names)
}
const registry = new Registry()
collectDefaultMetrics({ register: registry })
for (const { name } of registry.getMetricsAsArray()) known.set(name, [])
/** Labels that the scrape sets. */
const ofPrometheus = ['job', 'instance', 'system']

/** Returns a line for each fault of an expression. */
function complaints(expr: string): string[] {
  const { wrong, selectors, grouping } = readExpression(expr)
  if (wrong !== undefined) return [`no PromQL from: ${wrong}`]
  const possible = new Set([...ofPrometheus, ...selectors.flatMap(({ metric }) => known.get(metric) ?? [])])
  // A label that is made on the way.
  for (const [, label = ''] of expr.matchAll(/label_replace\([^"]*"(\w+)"/g)) possible.add(label)
  return [
    ...selectors.filter(({ metric }) => !known.has(metric)).map(({ metric }) => `no metric ${metric}`),
    ...selectors.flatMap(({ metric, labels }) =>
      labels
        .filter((label) => ![...ofPrometheus, ...(known.get(metric) ?? [])].includes(label))
        .map((label) => `${metric} has no label ${label}`),
    ),
    ...[...expr.matchAll(/(\w+)_bucket\{le=~"(\d+)\|\2\.0"\}/g)]
      .filter(([, name, le]) => !metrics.some((one) => one.name === name && one.buckets?.includes(Number(le))))
      .map(([, name, le]) => `${name} has no bucket ${le}`),
    ...grouping.filter((label) => !possible.has(label)).map((label) => `grouped by ${label}, which none has`),
  ]
}

describe('the check of an expression', () => {
  test.each([
    ['sum by (stage) (rate(orders_processed_total{outcome="passed"}[5m])) > 0', []],
    ['max(orders_paused{component="bridge"}) == 1 unless max(orders_backpressure) == 1', []],
    ['sum(rate(orders_processed_total[5m])', ['no PromQL from: ']],
    ['rate(orders_processed_total[5 minutes])', ['no PromQL from: ']],
    ['max(orders_nonsense)', ['no metric orders_nonsense']],
    ['orders_waiting{queue="x"}', ['orders_waiting has no label queue']],
    ['orders_critical_time_seconds_bucket{le=~"60|60.0"}', []],
    ['orders_critical_time_seconds_bucket{le=~"61|61.0"}', ['orders_critical_time_seconds has no bucket 61']],
    ['sum by (user) (orders_waiting)', ['grouped by user, which none has']],
    ['orders_critical_time_seconds > 1', ['no metric orders_critical_time_seconds']],
  ])('%s', (expr, expected) => {
    const found = complaints(expr)
    expect(found.length).toBe(expected.length)
    expect(found.join()).toContain(expected.join())
  })
})

describe.each(rules)('the alert $alert', ({ alert, expr, annotations }) => {
  test('has an expression of metrics that there are', () => {
    expect(complaints(expr)).toEqual([])
  })

  test('names only labels in its summary that its expression leaves', () => {
    const { grouping, selectors } = readExpression(expr)
    const left =
      expr.includes('max(') || expr.includes('sum(')
        ? []
        : [...ofPrometheus, ...selectors.flatMap(({ labels }) => labels)]
    for (const [, label = ''] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) {
      expect([...grouping, ...left]).toContain(label)
    }
  })

  test('has a section in the runbook with the four headings', () => {
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`)
    const headings = [...(sections.get(alert) ?? '').matchAll(/^\*\*(.+?):?\*\*/gm)].map(([, heading]) => heading)
    expect(headings).toEqual(['Meaning', 'Diagnose', 'Fix', 'Escalate if'])
  })
})

test('the runbook has a section for each alert and for nothing else, and names commands and sections that there are', async () => {
  expect([...sections.keys()]).toEqual(rules.map(({ alert }) => alert))
  const names = (await loadCommands()).map(({ name }) => name)
  for (const [, name] of runbook.matchAll(/npx orders (\w+)/g)) expect(names).toContain(name)
  for (const [, anchor] of runbook.matchAll(/\(#(\w+)\)/g)) {
    expect([...sections.keys()].map((section) => section.toLowerCase())).toContain(anchor)
  }
})

test('the example scrapes each role, and reads the alerts', () => {
  const { scrape_configs, rule_files } = parse(read('deploy/prometheus/prometheus.yml'))
  expect(rule_files).toEqual(['alerts.yml'])
  const [job] = scrape_configs
  expect(job.job_name).toBe('orders')
  const targets = job.static_configs.flatMap(({ targets }: { targets: string[] }) => targets)
  expect(targets.map((target: string) => target.split(':')[0]).sort()).toEqual([...deployedRoles].sort())
  expect(read('deploy/prometheus/prometheus.yml')).toMatch(
    new RegExp(`^ +# - ${archiveRole}:9100 # with ARCHIVE_URL$`, 'm'),
  )
})

describe('the dashboard', () => {
  const dashboard = JSON.parse(read('deploy/grafana/orders.json'))
  const panels: { type: string; title: string; id: number; targets?: { expr: string; legendFormat: string }[] }[] =
    dashboard.panels

  test('imports cleanly: no id of another Grafana, a data source to choose, no panel over another', () => {
    expect(dashboard).toMatchObject({ uid: 'order-pipeline', schemaVersion: 39 })
    expect(dashboard).not.toHaveProperty('id')
    expect(dashboard.templating.list).toMatchObject([
      { name: 'datasource', type: 'datasource', query: 'prometheus' },
      { name: 'system', type: 'query', query: { query: 'label_values(up{job="orders"}, system)' } },
      { name: 'instance', type: 'query', query: { query: expect.stringContaining('system="$system"') } },
    ])
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = dashboard.panels.flatMap(
      ({ gridPos: { x, y, w, h } }: { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }) =>
        Array.from({ length: w * h }, (_, at) => `${x + (at % w)}/${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(JSON.stringify(dashboard).match(/"uid":"[^"]*"/g)).toEqual(
      expect.not.arrayContaining([expect.not.stringMatching(/order-pipeline|\$datasource/)]),
    )
  })

  test('asks for metrics that there are, and its legends for labels that their queries leave', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        expect(complaints(expr), title).toEqual([])
        for (const { metric, labels } of readExpression(expr).selectors) {
          expect([title, metric, labels]).toEqual([title, metric, expect.arrayContaining(['system'])])
        }
        const { grouping } = readExpression(expr)
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          expect(expr.includes('by (') ? grouping : ofPrometheus, title).toContain(label)
        }
      }
    }
  })

  test('shows every metric of ours', () => {
    const shown = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join()
    expect(metrics.map(({ name }) => name).filter((name) => !shown.includes(name))).toEqual([])
  })
})
