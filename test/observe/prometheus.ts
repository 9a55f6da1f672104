import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { killOnExit } from '../support/on-exit.ts'
import { freePort } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

/** How often processes are scraped. In less a range of two seconds would hold no two samples. */
const scrapeMs = 1_000
const evaluateMs = 500

/** A system that Prometheus scrapes: the `host:port` of each process. */
export interface System {
  readonly name: string
  readonly targets: readonly string[]
}

/** Values of a series over time: Unix seconds, and numbers as text. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [seconds: number, value: string])[]
}

export interface Prometheus extends AsyncDisposable {
  /** Returns the values of an expression from then on, a point a second. */
  history(expr: string, fromSeconds: number): Promise<Series[]>
  /** Returns the value of an expression that has one series, or undefined. */
  value(expr: string): Promise<number | undefined>
  /** Returns the alerts of a system that fire. */
  firing(system: string): Promise<ReadonlySet<string>>
}

/** Returns the programs of these that are not on the PATH. */
export const missing = (programs: readonly string[]): string[] =>
  programs.filter((program) => spawnSync(program, ['--version']).error !== undefined)

/** Starts a real Prometheus on loopback. @param rules the text of its file of rules */
export async function openPrometheus(
  folder: string,
  systems: readonly System[],
  { rules, alertmanager }: { rules: string; alertmanager: string },
): Promise<Prometheus> {
  writeFileSync(join(folder, 'rules.yml'), rules)
  const [scrape, evaluate] = [`${scrapeMs}ms`, `${evaluateMs}ms`]
  const config = {
    global: { scrape_interval: scrape, scrape_timeout: scrape, evaluation_interval: evaluate },
    rule_files: ['rules.yml'],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
    scrape_configs: [
      {
        job_name: 'orders',
        static_configs: systems.map(({ name, targets }) => ({ labels: { system: name }, targets })),
      },
    ],
  }
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config))
  const server = await openServer('prometheus', '/-/ready', (address) => [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    `--web.listen-address=${address}`,
    '--rules.alert.resend-delay=1s',
  ])
  const ask = async <T>(path: string, query: Readonly<Record<string, string>>): Promise<T> => {
    const response = await fetch(`${server.url}/api/v1/${path}?${new URLSearchParams(query)}`)
    const { data, error } = (await response.json()) as { data: T; error?: string }
    if (error !== undefined) throw new Error(`Prometheus refuses ${JSON.stringify(query)}: ${error}`)
    return data
  }
  return {
    history: async (query, from) => {
      const range = { query, start: String(from), end: String(Date.now() / 1_000), step: '1' }
      return (await ask<{ result: Series[] }>('query_range', range)).result
    },
    value: async (query) => {
      const { result } = await ask<{ result: { value: [number, string] }[] }>('query', { query })
      return result[0] && Number(result[0].value[1])
    },
    firing: async (system) => {
      const { alerts } = await ask<{ alerts: { state: string; labels: Record<string, string> }[] }>('alerts', {})
      const ours = alerts.filter(({ state, labels }) => state === 'firing' && (labels['system'] ?? system) === system)
      return new Set(ours.map(({ labels }) => labels['alertname'] ?? ''))
    },
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  }
}

/** Starts a program that serves HTTP, and waits until this path answers. */
export async function openServer(
  program: string,
  path: string,
  args: (address: string) => readonly string[],
): Promise<{ readonly url: string; readonly address: string } & AsyncDisposable> {
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(program, args(address), { stdio: ['ignore', 'ignore', 'pipe'] })
  killOnExit(child)
  let log = ''
  child.stderr.on('data', (chunk) => {
    log = `${log}${chunk}`.slice(-4_000)
  })
  const url = `http://${address}`
  await until(`${program} to answer`, async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${log}`)
    return fetch(`${url}${path}`).then(
      ({ ok }) => ok,
      () => false,
    )
  })
  const close = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL') // what it has stored is not needed
    await exit
  }
  return { url, address, [Symbol.asyncDispose]: close }
}
