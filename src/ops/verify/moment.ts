import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { exactInteger, type Sum } from '../../order/money.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { minId } from '../../stream-id.ts'

const text = z.string()
const readMoment = defineScript(import.meta.url, z.tuple([text, text, text, text]))

/** The state of Redis at one moment. */
export interface Moment {
  /** Id of the last entry ever added to `orders:counted`. */
  readonly lastId: string
  /** Orders and corrections that aggregate had counted by then. */
  readonly applied: bigint
  readonly global: Sum
  /** The global stats as they were stored: a field may hold no number. */
  readonly globalFields: ReadonlyMap<string, string>
}

const globalFields = ['total_orders', 'total_revenue_minor']

/** @param stream of aggregate's records */
export async function noteMoment(redis: RedisClient, { keys }: PartitionScope, stream: string): Promise<Moment> {
  const names = [stream, keys.counters, keys.globalStats]
  const [last, ...texts] = await readMoment(redis, names, [aggregate.counts, ...globalFields])
  const [applied = 0n, orders = 0n, minor = 0n] = texts.map(exactInteger)
  const found = globalFields.map((field, at) => [field, texts[at + 1] ?? ''] as const)
  return {
    lastId: last || minId,
    applied,
    global: { orders, minor },
    globalFields: new Map(found.filter(([, text]) => text !== '')),
  }
}
