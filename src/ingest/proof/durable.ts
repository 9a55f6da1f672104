import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Durable } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import type { Keys } from '../../keys.ts'
import { type Durability, openDurability, type RedisIncarnation } from '../durability.ts'

/** On a slow disk an fsync takes seconds. */
const durableMs = 30_000
const retryEveryMs = 200

/** Opens what the bridge, too, asks before it deletes messages. */
export async function openDurable({ partitions, ...app }: App, signal: AbortSignal): Promise<Durable> {
  const durability = await openDurability({ ...app, partitions })
  const opened = new Map(partitions.map((keys) => [keys, durability.incarnation(keys)]))
  const confirm = async (): Promise<void> => {
    await sleep(durability.settleMs, undefined, { signal })
    const until = performance.now() + durableMs
    // All at once: one fsync, a second later, confirms every partition.
    const found = await Promise.all(partitions.map((keys) => confirmed(durability, keys, until, signal)))
    if (partitions.every((keys, at) => found[at] === opened.get(keys))) return
    throw new OrdersError('ORD_NOT_DURABLE', 'Redis was started again or failed over: run this once more.')
  }
  return { confirm, [Symbol.dispose]: () => durability[Symbol.dispose]() }
}

/** Retries until Redis confirms, and returns which Redis it was. @throws the last error after `until` */
async function confirmed(
  durability: Durability,
  keys: Keys,
  until: number,
  signal: AbortSignal,
): Promise<RedisIncarnation> {
  for (;;) {
    const incarnation = await durability.confirm(keys).catch((error: unknown) => {
      if (performance.now() > until) throw error
      return undefined
    })
    if (incarnation !== undefined) return incarnation
    await sleep(retryEveryMs, undefined, { signal })
  }
}
