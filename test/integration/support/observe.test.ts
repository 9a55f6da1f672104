import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, type TestContext, test } from 'vitest'
import { metrics } from '../../../src/api/metrics/metrics.ts'
import { causes } from '../../observe/causes/acts.ts'
import { dashboardQueries } from '../../observe/dashboard.ts'
import { alertsPart, outagePart, queriesPart } from '../../observe/report.ts'
import {
  rulesIn,
  shortenAlertmanager,
  shortenDuration,
  shortenExpression,
  shortenRules,
} from '../../observe/shorten.ts'
import { bucketsApart } from '../../observe/waits.ts'
import { removeOnExit } from '../../support/on-exit.ts'
import { requirePart } from '../../support/requires.ts'

const deployed = (file: string): string => readFileSync(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')
const rules = deployed('prometheus/alerts.yml')

/** Runs a checker of Prometheus on a file with this text. */
function checked(context: TestContext, tool: string, command: readonly string[], text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'orders-observe-'))
  using _ = removeOnExit(folder)
  const file = join(folder, 'file.yml')
  writeFileSync(file, text)
  const { error, status, stdout, stderr } = spawnSync(tool, [...command, file], { encoding: 'utf8' })
  requirePart(context, error === undefined, `${tool} on the PATH`)
  return { status, printed: `${stdout}${stderr}` }
}

describe('the shortened copy of the rules', () => {
  test.each([
    ['15s', '250ms'],
    ['1h', '60000ms'],
    ['1m30s', '1500ms'],
  ])('a wait of %s is one of %s', (wait, shortened) => expect(shortenDuration(wait, 60)).toBe(shortened))

  test.each([
    ['sum(rate(orders_processed_total[10m])) > 0.05', 'sum(rate(orders_processed_total[10000ms])) > 0.05'],
    [
      'max by (stage) (orders_oldest_pending_age_seconds) > 300',
      'max by (stage) (orders_oldest_pending_age_seconds) > 5',
    ],
    ['max(abs(orders_clock_offset_seconds)) > 5', 'max(abs(orders_clock_offset_seconds)) > 5'],
    ['nodejs_eventloop_lag_p99_seconds{job="orders"} > 0.5', 'nodejs_eventloop_lag_p99_seconds{job="orders"} > 0.5'],
    ['max by (stage) (orders_waiting) > 10000', 'max by (stage) (orders_waiting) > 10000'],
    ['orders_critical_time_seconds_bucket{le=~"60|60.0"}', 'orders_critical_time_seconds_bucket{le=~"1|1.0"}'],
  ])('%s is %s', (expr, shortened) => expect(shortenExpression(expr, 60)).toBe(shortened))

  test('has every rule, with its labels, and asks for buckets that there are', () => {
    const shortened = rulesIn(shortenRules(rules, 60))
    const lasting = ({ expr, for: _, ...rest }: { expr: string; for?: string }) => rest
    expect(shortened.map(lasting)).toEqual(rulesIn(rules).map(lasting))
    const asked = shortened.flatMap(({ expr }) => [...expr.matchAll(/(\w+)_bucket\{le=~"([\d.]+)\|/g)])
    expect(asked.length).toBeGreaterThan(0)
    for (const [, name, le] of asked) expect(metrics.find((one) => one.name === name)?.buckets).toContain(Number(le))
  })

  test('is one that promtool and amtool accept', (context) => {
    const ofRules = checked(context, 'promtool', ['check', 'rules'], shortenRules(rules, 60))
    expect([ofRules.status, ofRules.printed]).toEqual([0, expect.stringContaining('SUCCESS')])
    const example = shortenAlertmanager(deployed('prometheus/alertmanager.yml'), 60, 'http://127.0.0.1:1')
    expect(example).toMatch(/group_wait: 500ms\n[\s\S]*url: http:\/\/127\.0\.0\.1:1\/pager\/ /)
    expect(checked(context, 'amtool', ['check-config'], example).status).toBe(0)
  })
})

test('each alert has one cause, so a new one is observed, too', () => {
  const caused = causes.flatMap(({ fires }) => fires)
  expect(caused.sort()).toEqual(
    rulesIn(rules)
      .map(({ alert }) => alert)
      .sort(),
  )
  expect(new Set(causes.map(({ title }) => title)).size).toBe(causes.length)
})

test('the queries of the dashboard have no variable of Grafana left, and are of the system', () => {
  const file = deployed('grafana/orders.json')
  const queries = dashboardQueries(file, { system: 'observed', rate: '4s' })
  expect(queries.length).toBe(file.match(/"expr":/g)?.length)
  expect(queries.filter(({ expr }) => expr.includes('$') || !expr.includes('system="observed"'))).toEqual([])
})

test('two waits are as many buckets apart as there are bounds between them', () => {
  const buckets = [0.001, 0.0025, 0.005]
  const apart = (one: number, other: number): number => bucketsApart(buckets, one, other)
  expect([apart(0.0011, 0.0025), apart(0.001, 0.0011), apart(0.0005, 0.1)]).toEqual([0, 1, 3])
})

describe('the report', () => {
  test('says which alerts did not fire or resolve', () => {
    const observed = [
      { rule: 'A', cause: 'one', firedS: 1, resolvedS: 2 },
      { rule: 'B', cause: 'two', firedS: 1, resolvedS: undefined },
    ]
    const { text, faults } = alertsPart(['A', 'B', 'C'], observed)
    expect(faults).toEqual(['B did not resolve', 'C did not fire', 'C did not resolve'])
    expect(text).toMatch(/\| A .*1\.0 s .*2\.0 s .*one \|/)
  })

  test('says which queries never had a number', () => {
    const query = (panel: string, ...values: string[]) => ({
      ...{ panel, legend: '', expr: panel },
      series: [{ metric: {}, values: values.map((value): [number, string] => [0, value]) }],
    })
    expect(queriesPart([query('A', 'NaN', '0'), query('B', 'NaN')]).faults).toEqual(['B never had a value: B'])
  })

  test('says when an outage of Redis pages for anything but itself', () => {
    const outage = { rows: [], fired: [], inhibited: [] }
    const page = (...alerts: string[]) => ({ receiver: 'pager', alerts })
    const ticket = { receiver: 'tickets', alerts: ['OrdersSlow'] }
    expect(outagePart({ ...outage, sent: [page('OrdersRedisAway'), ticket] }).faults).toEqual([])
    expect(outagePart({ ...outage, sent: [page('OrdersRedisAway'), page('OrdersStuck')] }).faults).toHaveLength(1)
    expect(outagePart({ ...outage, sent: [] }).faults).toHaveLength(1)
  })
})
