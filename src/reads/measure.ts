import { z } from 'zod'
import { messageOf, OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { wrongTypes, wrongTypeText } from '../redis/key-types.ts'
import { defineScript } from '../redis/script.ts'
import { rejectGroupNames } from '../reject-codes.ts'
import { fieldOf, otherListText, readsElsewhere } from '../stages/layout/layout.ts'
import type { Pipeline, Stage } from '../stages/placed.ts'
import { type Counters, outsOf } from './counters.ts'

/** The books of one partition at one moment; null where a key has another type and cannot be read. */
export interface Measured {
  /** Names of all counters. */
  readonly fields: readonly string[]
  /** Values of those that are whole numbers. */
  readonly counters: Counters | null
  /** As stored in Redis: a missing field is null. */
  readonly totals: readonly [orders: string | null, minor: string | null] | null
  readonly invalid: {
    readonly stream: number | null
    readonly list: number | null
    readonly groups: number | null
  }
  /**
   * Per stage the orders in its stream; null where that is too long to be measured, undefined where it cannot be read or where
   * the running processes read another stream.
   */
  readonly held: readonly (number | null | undefined)[]
  /** Per stage the orders that were written off as lost, or would be in mode `write`. */
  readonly lost: readonly number[]
  /** Names of the stages that the running processes have elsewhere in their list: by ours, their counters do not add up. */
  readonly elsewhere: readonly string[]
  /** A sentence for each key that cannot be read, and one if the running processes have another list of stages. */
  readonly unread: readonly string[]
}

/**
 * Limits per stage: 2,000 entries of an SQS receive, or 4 MB of large ones, block Redis for about 10 ms (2 cores, busy). A
 * longer backlog is not measured until it is processed.
 */
const maxEntries = 2_000
const maxBytes = 4_000_000

const pairs = z
  .array(z.string())
  .transform((flat) =>
    Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []))),
  )
const reply = z.tuple([
  pairs,
  z.tuple([z.string().nullable(), z.string().nullable()]),
  z.tuple([z.int(), z.int(), z.int()]),
  z.array(z.int()),
  z.array(z.int()),
  pairs,
])
const measureBooks = defineScript(import.meta.url, reply)

/**
 * Measures the books of a partition by one script, so that every difference is exact while orders flow.
 * @param mode `write` also writes missing orders off as lost, `plan` only counts them
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: Redis is the local emulator, or in another mode than
 * `read` a key has another type; in those modes ORD_MANIFEST where the running processes have another list of stages
 */
export async function measure(
  { redis, keys, pipeline }: { redis: RedisClient; keys: Keys; pipeline: Pipeline },
  mode: 'read' | 'plan' | 'write' = 'read',
): Promise<Measured> {
  const { stages } = pipeline
  const streams = stages.map(({ from }) => keys.stream(from))
  const done = stages.map(({ name }) => keys.committed(name))
  const groups = rejectGroupNames.map(keys.invalidGroup)
  const own = [keys.counters, keys.globalStats, keys.invalid, keys.invalidOrders, keys.stages]
  const names = [...own, ...streams, ...done, ...groups]
  const wrong = await wrongTypes(redis, [...new Set(names)])
  const isRead = (key: string): boolean => !wrong.some((one) => one.key === key)
  // In mode `read`, a key of another type is read as absent. A write-off must not rely on that.
  const asked = mode === 'read' ? names.map((key) => (isRead(key) ? key : keys.nothing)) : names
  const [flat, totals, [stream, list, grouped], held, lost, layouts] = await run(redis, stages, asked, mode)
  const otherList = otherListText(pipeline, layouts)
  if (otherList !== undefined && mode !== 'read') throw new OrdersError('ORD_MANIFEST', otherList)
  const all = Object.entries(flat).map(([name, value]) => [name, Number(value)] as const)
  const numbers = Object.fromEntries(all.filter(([, value]) => Number.isSafeInteger(value)))
  return {
    fields: all.map(([name]) => name),
    counters: isRead(keys.counters) ? numbers : null,
    totals: isRead(keys.globalStats) ? totals : null,
    invalid: {
      stream: isRead(keys.invalid) ? stream : null,
      list: isRead(keys.invalidOrders) ? list : null,
      groups: groups.every(isRead) ? grouped : null,
    },
    held: held.map((orders, at) => {
      if (![streams[at], done[at]].every((key) => isRead(key ?? ''))) return undefined
      if (readsElsewhere(stages[at] as Stage, layouts)) return undefined
      return orders < 0 ? null : orders
    }),
    lost,
    elsewhere: stages.filter((stage) => readsElsewhere(stage, layouts)).map(({ name }) => name),
    unread: [
      ...wrong.map((one) => `${wrongTypeText(one)}: it cannot be read, see orders doctor.`),
      ...(otherList === undefined ? [] : [otherList]),
    ],
  }
}

async function run(
  redis: RedisClient,
  stages: readonly Stage[],
  names: readonly string[],
  mode: string,
): Promise<z.output<typeof reply>> {
  const wire = stages.map((stage) => {
    const { isFirst, counters } = stage
    return {
      layout: fieldOf(stage),
      from: stage.from,
      group: stage.name,
      later: !isFirst,
      lost: counters.lost,
      ins: counters.in,
      outs: outsOf(stage),
    }
  })
  const args = [maxEntries, maxBytes, mode, JSON.stringify(wire)]
  return measureBooks(redis, names, args).catch((error: unknown) => {
    throw new OrdersError('ORD_REDIS_REPLY', `Redis cannot read the books (${messageOf(error)}).`, { cause: error })
  })
}
