import { z } from 'zod'
import { messageOf, OrdersError } from '../errors.ts'
import type { Keys } from '../keys.ts'
import { rejectGroupNames } from '../messages.ts'
import type { RedisClient } from '../redis/client.ts'
import { wrongTypes, wrongTypeText } from '../redis/key-types.ts'
import { loadScript, runScript } from '../redis/script.ts'
import { lostBy, pipeline } from '../stages/pipeline.ts'
import { type Counters, insOf, outsOf } from './counters.ts'

const script = loadScript(import.meta.url)

/** What one partition held at one moment; null is what cannot be read, because a key of it has another type. */
export interface Measured {
  /** Names of all counters, and the values of those that are whole numbers. */
  readonly fields: readonly string[]
  readonly counters: Counters | null
  /** As Redis has them: a field that is missing is null. */
  readonly totals: readonly [orders: string | null, minor: string | null] | null
  readonly invalid: {
    readonly stream: number | null
    readonly list: number | null
    readonly groups: number | null
  }
  /** Per stage the orders in its stream; null where that is too much to look at, undefined where it cannot be read. */
  readonly held: readonly (number | null | undefined)[]
  /** Per stage the orders that were written off as lost, or would be. */
  readonly lost: readonly number[]
  /** What cannot be read, a sentence each. */
  readonly unread: readonly string[]
}

/**
 * To look at per stage: 2,000 entries of an SQS receive or 4 MB of large ones hold up Redis for some 10 ms (2 cores, busy).
 * More is a backlog, and is checked again when it is processed.
 */
const maxEntries = 2_000
const maxBytes = 4_000_000

const replies = z.tuple([
  z.array(z.string()),
  z.tuple([z.string().nullable(), z.string().nullable()]),
  z.tuple([z.int(), z.int(), z.int()]),
  z.array(z.int()),
  z.array(z.int()),
])

/**
 * Measures the books of a partition by one script, which makes every difference exact while orders flow.
 * @param mode `write` also books what is missing as lost, `plan` only says how much that would be
 * @throws OrdersError ORD_REDIS_REPLY where the script cannot run: Redis is the emulator, or a key that it would write by
 * has another type.
 */
export async function measure(
  redis: RedisClient,
  keys: Keys,
  mode: 'read' | 'plan' | 'write' = 'read',
): Promise<Measured> {
  const streams = pipeline.map(({ from }) => keys.stream[from])
  const done = pipeline.map(({ name }) => keys.done(name))
  const groups = rejectGroupNames.map(keys.invalidGroup)
  const names = [keys.counters, keys.globalStats, keys.invalid, keys.invalidOrders, ...streams, ...done, ...groups]
  const wrong = await wrongTypes(redis, [...new Set(names)])
  const isRead = (key: string): boolean => !wrong.some((one) => one.key === key)
  // A key of another type is read as if it were not there; but nothing is written off by it.
  const asked = mode === 'read' ? names.map((key) => (isRead(key) ? key : keys.nothing)) : names
  const [flat, totals, [stream, list, grouped], held, lost] = await run(redis, asked, mode)
  const all = flat.flatMap((name, at) => (at % 2 === 0 ? [[name, Number(flat[at + 1])] as const] : []))
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
      return orders < 0 ? null : orders
    }),
    lost,
    unread: wrong.map((one) => `${wrongTypeText(one)}: it cannot be read, see orders doctor.`),
  }
}

async function run(redis: RedisClient, names: readonly string[], mode: string): Promise<z.output<typeof replies>> {
  const stages = pipeline.map((stage) => {
    const later = stage.from !== 'raw'
    return { group: stage.name, later, lost: lostBy(stage), ins: insOf(stage), outs: outsOf(stage) }
  })
  const args = [maxEntries, maxBytes, mode, JSON.stringify(stages)]
  const reply = await runScript(redis, script, names, args).catch((error: unknown) => {
    throw new OrdersError('ORD_REDIS_REPLY', `Redis cannot read the books (${messageOf(error)}).`, { cause: error })
  })
  const parsed = replies.safeParse(reply)
  if (parsed.success) return parsed.data
  throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to measure.lua in an unknown shape.', { cause: parsed.error })
}
