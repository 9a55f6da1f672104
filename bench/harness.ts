import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../test/support/redis-server.ts'
import { spawnRedisServer } from '../test/support/redis-server.ts'

/** The result of one round of one contender. CPU is in ms, as the kernel counts it, in steps of 10 ms. */
export interface Round {
  readonly count: number
  readonly ms: number
  readonly cpuMs: Readonly<Record<string, number>>
  /** Growth of Redis' memory by the waiting orders. */
  readonly filledBytes?: number
}

export interface Figure {
  readonly perSecond: number
  readonly min: number
  readonly max: number
  readonly rounds: number
  readonly count: number
  /** For each process: its share of one core while it ran, and its µs per order. */
  readonly cpu: Readonly<Record<string, { readonly percent: number; readonly usPer: number }>>
}

export interface Options {
  readonly orders: number | undefined
  readonly rounds: number
  readonly scale: number
  /** Keys of contenders; an empty list means all. */
  readonly only: readonly string[]
  readonly profile: boolean
  readonly print: (line: string) => void
}

/** Runs every contender once, then again, so that other work on the machine affects all of them alike. */
export async function alternate<C>(
  contenders: readonly C[],
  rounds: number,
  run: (contender: C) => Promise<Round>,
  patienceMs = 3_000,
): Promise<Map<C, Round[]>> {
  const results = new Map<C, Round[]>(contenders.map((contender) => [contender, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [contender, done] of results) {
      await quiet(patienceMs)
      done.push(await run(contender))
    }
  }
  return results
}

export function figure(rounds: readonly Round[]): Figure {
  const rates = rounds.map(perSecond)
  const middle = median(rates)
  const names = Object.keys(rounds[0]?.cpuMs ?? {})
  const of = (name: string, by: (round: Round) => number) => median(rounds.map((r) => (r.cpuMs[name] ?? 0) / by(r)))
  const cpu = names.map((name) => [
    name,
    { percent: Math.round(100 * of(name, ({ ms }) => ms)), usPer: fixed(1_000 * of(name, ({ count }) => count), 1) },
  ])
  return {
    perSecond: Math.round(middle),
    min: Math.round(Math.min(...rates)),
    max: Math.round(Math.max(...rates)),
    rounds: rounds.length,
    count: rounds[0]?.count ?? 0,
    cpu: Object.fromEntries(cpu),
  }
}

const perSecond = ({ count, ms }: Round): number => (1_000 * count) / ms

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) / 2
  return ((sorted[Math.floor(at)] ?? 0) + (sorted[Math.ceil(at)] ?? 0)) / 2
}

export const fixed = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Returns the CPU that a process has used, in ms: fields 14 and 15 of /proc/<pid>/stat, in hundredths of a second. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return 10 * (Number(user) + Number(system))
}

/** Measures the CPU of processes until the returned function is called; `others` is that of all other processes. */
export function cpuMeter(pids: Readonly<Record<string, number>>): () => Record<string, number> {
  const before = Object.entries(pids).map(([name, pid]) => [name, pid, cpuMs(pid)] as const)
  const busyBefore = machineBusyMs()
  return () => {
    const used = before.map(([name, pid, then]) => [name, cpuMs(pid) - then] as const)
    const others = machineBusyMs() - busyBefore - used.reduce((sum, [, ms]) => sum + ms, 0)
    return { ...Object.fromEntries(used), others: Math.max(0, others) }
  }
}

/** Returns the CPU of all processes and what other machines on this host took, in ms: the first line of /proc/stat. */
function machineBusyMs(): number {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8').split(/\s+/).map(Number)
  return 10 * [user, nice, system, irq, softirq, steal].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0)
}

const quietPercent = 15
const lookMs = 250

/** Waits until the machine is quiet, up to a limit. The CPU of other processes is shown next to each figure. */
async function quiet(patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs
  while (performance.now() < until) {
    const meter = cpuMeter({ bench: process.pid })
    await sleep(lookMs)
    if ((100 * (meter()['others'] ?? 0)) / lookMs < quietPercent) return
  }
}

/** Starts a redis-server on a free loopback port, without an append-only file: CPU is compared, not disks. */
export async function openRedisServer(...options: string[]): Promise<RedisServer> {
  const server = await spawnRedisServer('--appendonly', 'no', ...options)
  if (!server) throw new Error('bench: there is no redis-server on the PATH')
  return server
}

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(shown))
  const widths = head.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`
  const [first = [], ...others] = cells
  return [line(first), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...others.map(line)].join('\n')
}

const shown = (cell: string | number): string => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)

interface Used {
  readonly percent: number
  readonly usPer: number
}

/** Returns the CPU per order of the processes under test, in µs. It hardly depends on other work on the machine. */
export function costOf({ cpu }: Figure, without: readonly string[] = []): number {
  const own = Object.entries(cpu).filter(([name]) => name !== 'others' && !without.includes(name))
  return own.reduce((sum, [, { usPer }]) => sum + usPer, 0)
}

/** Columns of every throughput table. */
export const rateHead = ['per second', 'min–max', 'CPU (of one core)', 'µs per order', 'orders']
export function rateCells({ perSecond, min, max, cpu, count }: Figure): (string | number)[] {
  const { others: _, ...own } = cpu
  const each = (by: (of: Used) => string, of = cpu): string =>
    Object.entries(of)
      .map(([name, used]) => `${name} ${by(used)}`)
      .join(' ')
  const range = `${min.toLocaleString('en-US')}–${max.toLocaleString('en-US')}`
  return [perSecond, range, each(({ percent }) => `${percent}%`), each(({ usPer }) => `${usPer}`, own), count]
}

export function machine(redisVersion: string): Record<string, string> {
  const require = createRequire(import.meta.url)
  const version = (name: string): string =>
    JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8')).version
  const packages = ['ioredis', 'bullmq', 'moleculer', '@moleculer/channels', '@aws-sdk/client-sqs', 'sqs-consumer']
  return {
    machine: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    node: process.version,
    redis: redisVersion,
    ...Object.fromEntries(packages.map((name) => [name, versionOr(() => version(name))])),
  }
}

/** Reads the version from the file, because some packages do not export their package.json. */
function versionOr(read: () => string): string {
  try {
    return read()
  } catch {
    return 'see package.json'
  }
}
