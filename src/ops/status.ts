import { setTimeout as sleep } from 'node:timers/promises'
import { OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis.ts'
import { readGlobalStats, type Totals } from '../stages/aggregate.ts'
import { readCounters, waitingFor } from '../stages/books.ts'
import { pipeline } from '../stages/pipeline.ts'
import type { Stage } from '../stages/stage.ts'
import { defineCommand, flag } from './command.ts'
import { openApp } from './open.ts'
import { withRunning } from './registry.ts'

export interface StageStatus {
  readonly stage: string
  /** Orders come in for the stage and not committed by it: waiting or in hand. */
  readonly waiting: number
  /** Entries delivered to a consumer and not acknowledged. */
  readonly pending: number
  /** Entries not delivered to any consumer; null where Redis cannot tell. */
  readonly lag: number | null
  readonly consumers: number
}

export interface Status {
  readonly counters: Readonly<Record<string, number>>
  readonly totals: Totals
  readonly invalid: number
  readonly stages: readonly StageStatus[]
}

export async function readStatus(redis: RedisClient, keys: Keys): Promise<Status> {
  const [counters, totals, invalid, ...groups] = await Promise.all([
    readCounters(redis, keys),
    readGlobalStats(redis, keys),
    redis.llen(keys.invalidOrders),
    ...pipeline.map((stage) => readGroup(redis, keys, stage)),
  ])
  const stages = pipeline.map((stage, at) => ({
    stage: stage.name,
    waiting: waitingFor(stage, counters),
    ...(groups[at] ?? { pending: 0, lag: 0, consumers: 0 }),
  }))
  return { counters, totals, invalid, stages }
}

/** What was rejected, by code, most first. */
export function rejectedByCode(counters: Readonly<Record<string, number>>): [code: string, orders: number][] {
  const prefix = 'rejected:'
  return Object.entries(counters)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, orders]): [string, number] => [name.slice(prefix.length), orders])
    .sort(([, a], [, b]) => b - a)
}

async function readGroup(
  redis: RedisClient,
  keys: Keys,
  stage: Stage,
): Promise<Omit<StageStatus, 'stage' | 'waiting'>> {
  const none = { pending: 0, lag: 0, consumers: 0 }
  try {
    const groups = (await redis.xinfo('GROUPS', keys.stream[stage.from])) as unknown[][]
    const group = groups.map(toObject).find(({ name }) => name === stage.name)
    if (!group) return none
    const lag = group['lag']
    return {
      pending: Number(group['pending']),
      lag: lag === null || lag === undefined ? null : Number(lag),
      consumers: Number(group['consumers']),
    }
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such key')) return none
    throw error
  }
}

function toObject(flat: unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) object[String(flat[i])] = flat[i + 1]
  return object
}

/** The status as lines for people. */
export function statusLines({ counters, totals, invalid, stages }: Status): string[] {
  const of = (name: string): number => counters[name] ?? 0
  const number = (value: number | null): string => (value === null ? '?' : value.toLocaleString('en'))
  const columns = ['stage', 'waiting', 'pending', 'lag', 'consumers']
  const rows = stages.map(({ stage, waiting, pending, lag, consumers }) => [
    stage,
    ...[waiting, pending, lag, consumers].map(number),
  ])
  return [
    `received ${number(of('received'))} = admitted ${number(of('admitted'))} + duplicates ${number(of('duplicates'))}` +
      ` + rejected ${number(of('rejected'))} + waiting ${number(stages[0]?.waiting ?? 0)}`,
    `counted  ${number(totals.orders)} orders, ${money(totals.minor)} revenue; ${number(of('ranked'))} ranked; ${number(invalid)} in the invalid channel`,
    '',
    ...table([columns, ...rows]),
    '',
    'waiting: orders; pending: entries delivered, not acknowledged; lag: entries not delivered yet',
  ]
}

export function money(minor: number): string {
  return (minor / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  )
}

const watchEveryMs = 1_000
const away = 'Redis does not answer: see that it runs.'
const clearScreen = '\x1b[2J\x1b[H'

export const statusCommand = defineCommand({
  name: 'status',
  about: 'Shows what waits where, the totals and the counters.',
  options: { watch: flag('show it again every second'), json: flag('as JSON, one object a line') },
  run: async ({ config, options: { watch, json }, signal, print }) => {
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    do {
      const status = await readStatus(app.redis, app.keys).catch(() => undefined)
      signal.throwIfAborted()
      if (status === undefined && !watch) throw new OrdersError('ORD_REDIS_UNREACHABLE', away)
      if (watch && !json && process.stdout.isTTY) process.stdout.write(clearScreen)
      if (status === undefined) process.stderr.write(`${away}\n`)
      else print(json ? JSON.stringify(status) : statusLines(status).join('\n'))
      if (watch) await sleep(watchEveryMs, undefined, { signal })
    } while (watch)
  },
})
