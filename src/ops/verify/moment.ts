import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { exactInteger, type Sum } from '../../order/money.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate, correctionsCounter } from '../../stages/aggregate.ts'
import { minId } from '../../stream-id.ts'

const text = z.string()
const readMoment = defineScript(import.meta.url, z.tuple([text, text, text, text, text]))

/** The state of Redis at one moment. */
export interface Moment {
  /** Id of the last entry ever added to `orders:counted`. */
  readonly lastId: string
  /** Orders and corrections that aggregate had counted by then. */
  readonly applied: bigint
  /** By how much the global stats had more orders than the counters say. */
  readonly surplus: bigint
  readonly global: Sum
}

/** @param stream of aggregate's records */
export async function noteMoment(redis: RedisClient, { keys }: PartitionScope, stream: string): Promise<Moment> {
  const names = [aggregate.counts, correctionsCounter]
  const [last, ...values] = await readMoment(redis, [stream, keys.counters, keys.globalStats], names)
  const [applied = 0n, corrections = 0n, orders = 0n, minor = 0n] = values.map(exactInteger)
  return {
    lastId: last || minId,
    applied,
    surplus: orders + corrections - applied,
    global: { orders, minor },
  }
}
