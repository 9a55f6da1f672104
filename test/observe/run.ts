/**
 * Makes every alert fire for real, and asks every query of the dashboard: `npm run observe`. It starts Prometheus,
 * Alertmanager, Redis, SQS and two processes of each role on loopback, and takes some minutes.
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeOnExit } from '../support/on-exit.ts'
import { freePort } from '../support/redis-server.ts'
import { openAlertmanager } from './alertmanager.ts'
import { type Act, acts, lastAct, slowActs } from './causes/acts.ts'
import { dashboardQueries } from './dashboard.ts'
import { missing, openPrometheus, type Prometheus } from './prometheus.ts'
import { observeOutage } from './redis-away.ts'
import { alertsPart, outagePart, type Part, queriesPart, waitsPart } from './report.ts'
import { rulesIn, shortenRules } from './shorten.ts'
import { benchSystem, compareWaits } from './waits.ts'
import { type Observed, observe, type Watch, watchAlerts } from './watch.ts'
import { openWorld, system, type World } from './world.ts'

/** A minute of the rules is a second of the run. */
const factor = 60
/** Orders that flow all the time. */
const steady = ['--valid', '1000000', '--invalid', '10000', '--rate', '40']
/** The range of a rate in the dashboard's queries: four scrapes. */
const rate = '4s'

// Leaving runs what kills every child and removes every folder (support/on-exit.ts).
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const needed = ['prometheus', 'prometheus-alertmanager', 'redis-server']
const absent = missing(needed)
if (absent.length > 0) {
  print(`npm run observe needs ${absent.join(' and ')} on the PATH: install Debian's packages of these names.`)
  process.exit(2)
}
const { only } = parseArgs({ options: { only: { type: 'string', multiple: true, default: [] } } }).values
process.exit(await run())

async function run(): Promise<number> {
  const startedSeconds = Date.now() / 1_000
  const folder = mkdtempSync(join(tmpdir(), 'orders-observe-'))
  using _ = removeOnExit(folder)
  const rules = deployed('prometheus/alerts.yml')
  progress('starts Redis, SQS and two processes of each role')
  await using world = await openWorld(folder)
  await using alertmanager = await openAlertmanager(folder, deployed('prometheus/alertmanager.yml'), factor)
  const benchPort = await freePort()
  const systems = [
    { name: system, targets: world.fleet.targets },
    { name: benchSystem, targets: [`127.0.0.1:${benchPort}`] },
  ]
  await using prometheus = await openPrometheus(folder, systems, {
    rules: shortenRules(rules, factor),
    alertmanager: alertmanager.address,
  })
  await using watch = watchAlerts(prometheus)
  const names = rulesIn(rules).map(({ alert }) => alert)
  if (only.length > 0) {
    await using _load = world.load(...steady)
    await watch.quiet() // Prometheus must have read a counter before it sees its increase
    const observed = await inTurn(world, watch, [...slowActs, ...acts, lastAct].map(chosen))
    return report({
      Alerts: alertsPart(
        names.filter((name) => only.includes(name)),
        observed,
      ),
    })
  }
  progress('measures waits')
  const waits = await compareWaits(prometheus, benchPort)
  await using _load = world.load(...steady)
  await watch.quiet()
  progress('stops Redis')
  const outage = await observeOutage(world, watch, { prometheus, alertmanager })
  const lanes = await Promise.all([inTurn(world, watch, slowActs), inTurn(world, watch, acts)])
  const last = await inTurn(world, watch, [lastAct])
  return report({
    'Alerts, with a minute of the rules in a second': alertsPart(names, [...outage.rows, ...lanes.flat(), ...last]),
    'Waits, by Prometheus and by the benchmark': waitsPart(waits),
    'An outage of Redis': outagePart(outage),
    'Queries of the dashboard': await queriesOf(prometheus, startedSeconds),
  })
}

/** Returns the causes of an act that make a chosen alert fire. */
function chosen(act: Act): Act {
  return act.filter(({ fires }) => fires.some((rule) => only.includes(rule)))
}

/** Observes acts one after the other. */
async function inTurn(world: World, watch: Watch, acts: readonly Act[]): Promise<Observed[]> {
  const observed: Observed[] = []
  for (const act of acts) {
    for (const { title } of act) progress(`brings about: ${title}`)
    const rows = await observe(world, watch, act)
    for (const { rule, firedS, resolvedS } of rows)
      progress(`${rule}: ${firedS?.toFixed(1)} s, ${resolvedS?.toFixed(1)} s`)
    observed.push(...rows)
  }
  return observed
}

async function queriesOf(prometheus: Prometheus, fromSeconds: number): Promise<Part> {
  const queries = dashboardQueries(deployed('grafana/orders.json'), { system, rate })
  const asked = queries.map(async (query) => ({ ...query, series: await prometheus.history(query.expr, fromSeconds) }))
  return queriesPart(await Promise.all(asked))
}

/** Prints the parts, and then the faults of all. @returns the exit code */
function report(parts: Readonly<Record<string, Part>>): number {
  for (const [title, { text }] of Object.entries(parts)) print(`\n${title}\n\n${text}`)
  const faults = Object.values(parts).flatMap(({ faults }) => faults)
  print(faults.length > 0 ? `\n${faults.map((fault) => `WRONG: ${fault}`).join('\n')}` : '\nAll as it must be.')
  return faults.length > 0 ? 1 : 0
}

function deployed(file: string): string {
  return readFileSync(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function progress(line: string): void {
  process.stderr.write(`${Math.round(performance.now() / 1_000)} s: ${line}\n`)
}
