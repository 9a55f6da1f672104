import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, type TestContext, test } from 'vitest'
import { parse } from 'yaml'
import { roleNames } from '../../../src/ops/process/roles.ts'
import { archiveFolder } from '../../support/archive.ts'
import { type Sample, scrape } from '../../support/exposition.ts'
import { scrapeOpenly } from '../../support/openmetrics.ts'
import { requirePart } from '../../support/requires.ts'
import { runOrders } from '../../support/run-orders.ts'
import { emptyRedis, emptySqs, envOf } from '../../support/world.ts'

const folder = fileURLToPath(new URL('../../../deploy/prometheus/', import.meta.url))

/** Runs a tool of Prometheus in the folder of its files, and returns its exit code with all that it printed. */
function run(context: TestContext, tool: 'promtool' | 'amtool', args: readonly string[], input = '') {
  const { error, status, stdout, stderr } = spawnSync(tool, args, { cwd: folder, input, encoding: 'utf8' })
  requirePart(context, error === undefined, `${tool} on the PATH`)
  return { status, printed: `${stdout}${stderr}` }
}

test('promtool accepts the rules and the example that reads them', (context) => {
  const { status, printed } = run(context, 'promtool', ['check', 'config', 'prometheus.yml'])
  expect([status, printed]).toEqual([0, expect.stringMatching(/SUCCESS: \d\d rules found/)])
})

test('of two systems in one Prometheus each has its own alerts, and one cause has one', (context) => {
  const { status, printed } = run(context, 'promtool', ['test', 'rules', 'alerts.test.yml'])
  expect([status, printed]).toEqual([0, expect.stringContaining('SUCCESS')])
})

test('promtool finds nothing to say on the metrics of any role, and OpenMetrics has the same', async (context) => {
  await using world = await emptyRedis()
  await using sqs = await emptySqs()
  using archive = archiveFolder()
  const env = envOf(world.url, sqs, { CALENDAR: 'on', ARCHIVE_URL: archive.url })
  await using orders = runOrders(['run', ...roleNames], env)
  const url = await orders.apiUrl()
  const metrics = await (await fetch(`${url}/metrics`)).text()
  for (const role of roleNames) expect(metrics).toMatch(new RegExp(`^orders_build_info\\{.*role="${role}"\\} 1$`, 'm'))
  const open = ownNames(await scrapeOpenly(url))
  const began = open.filter((name) => name.endsWith('_created'))
  expect(open.filter((name) => !began.includes(name))).toEqual(ownNames((await scrape(url)).samples))
  expect(began).toEqual(expect.arrayContaining(['orders_processed_created', 'orders_hop_wait_seconds_created']))
  expect(began).not.toContain('orders_booked_created') // it is counted in Redis
  expect(run(context, 'promtool', ['check', 'metrics'], metrics)).toEqual({ status: 0, printed: '' })
})

/** Returns the names of our samples. */
const ownNames = (samples: readonly Sample[]): string[] =>
  [...new Set(samples.map(({ name }) => name))].filter((name) => name.startsWith('orders_')).sort()

test('amtool accepts the example of Alertmanager, which pages for what is critical', (context) => {
  const checked = run(context, 'amtool', ['check-config', 'alertmanager.yml'])
  expect([checked.status, checked.printed]).toEqual([0, expect.stringContaining('SUCCESS')])
  const routed = (severity: string): string =>
    run(context, 'amtool', ['config', 'routes', 'test', '--config.file=alertmanager.yml', `severity=${severity}`])
      .printed
  expect([routed('critical'), routed('warning')]).toEqual([
    expect.stringMatching(/^pager$/m),
    expect.stringMatching(/^tickets$/m),
  ])
})

test('Alertmanager is silent on consequences only, and on alerts that there are', () => {
  const read = (file: string) => parse(readFileSync(`${folder}${file}`, 'utf8'))
  const names = read('alerts.yml')
    .groups.flatMap(({ rules }: { rules: { alert: string }[] }) => rules)
    .map(({ alert }: { alert: string }) => alert)
  for (const { source_matchers, target_matchers, equal } of read('alertmanager.yml').inhibit_rules) {
    const named = [...source_matchers, ...target_matchers].flatMap((matcher: string) => alertsIn(matcher))
    expect(names).toEqual(expect.arrayContaining(named))
    expect(new Set(named).size).toBe(named.length) // else an alert would silence itself
    expect(equal).toEqual(['system'])
  }
})

/** Returns the names in a matcher such as `alertname=~"Orders(Slow|Stuck)"`. */
function alertsIn(matcher: string): string[] {
  const [, name = '', choice = ''] = /^alertname=~?"(\w+)(?:\(([\w|]+)\))?"$/.exec(matcher) ?? expect.fail(matcher)
  return choice.split('|').map((rest) => `${name}${rest}`)
}
