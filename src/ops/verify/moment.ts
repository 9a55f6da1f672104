import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { exactInteger, type Sum } from '../../order/money.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate, correctionsCounter } from '../../stages/aggregate.ts'
import { minId } from '../../stream-id.ts'

const text = z.string().nullable()
const readMoment = defineScript(import.meta.url, z.tuple([z.string(), text, text, text, text]))

/** The state of Redis at one moment. */
export interface Moment {
  /** Id of the last entry ever added to `orders:counted`. */
  readonly lastId: string
  /** Orders and corrections that aggregate had counted by then. */
  readonly applied: bigint
  /** Orders that the users must have by then: without those that corrections took back. */
  readonly counted: bigint
  readonly global: Sum
  /** The global stats as they were stored: a field may hold no number. */
  readonly globalFields: ReadonlyMap<string, string>
}

const globalFields = ['total_orders', 'total_revenue_minor']

/** @param stream of aggregate's records */
export async function noteMoment(redis: RedisClient, { keys }: PartitionScope, stream: string): Promise<Moment> {
  const names = [stream, keys.counters, keys.globalStats]
  const [last, ...texts] = await readMoment(redis, names, [aggregate.counts, correctionsCounter, ...globalFields])
  const [applied = 0n, corrections = 0n, orders = 0n, minor = 0n] = texts.map(exactInteger)
  const fields = globalFields.flatMap((field, at) => {
    const found = texts[at + 2] ?? undefined
    return found === undefined ? [] : [[field, found] as const]
  })
  return {
    lastId: last || minId,
    applied,
    counted: applied - corrections,
    global: { orders, minor },
    globalFields: new Map(fields),
  }
}
