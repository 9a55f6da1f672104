import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { OrdersError } from '../../errors.ts'
import { repartitionKey } from '../../keys.ts'
import type { RedisClient } from '../../redis/client.ts'

/** A process that is killed holds the lock for so long. */
const lockMs = 8_000
const renewEveryMs = 2_000
const lookEveryMs = 200

export interface Lock extends AsyncDisposable {
  /** Whether another process had it before. */
  readonly waited: boolean
  /** Asks Redis. @throws OrdersError ORD_USAGE where this process does not hold it any more */
  require(): Promise<void>
}

/**
 * Waits for the lock that one repartition or adoption holds, and renews it until it is disposed.
 * @param command that holds it
 */
export async function holdLock(
  redis: RedisClient,
  print: (line: string) => void,
  signal: AbortSignal,
  command = 'orders repartition',
): Promise<Lock> {
  const id = randomUUID()
  let waited = false
  const until = performance.now() + 2 * lockMs
  while (!(await redis.set(repartitionKey, id, 'PX', lockMs, 'NX'))) {
    if (!waited) print(`Another ${command} runs, or was killed a moment ago: waiting for it.`)
    waited = true
    if (performance.now() > until) throw new OrdersError('ORD_USAGE', `Another ${command} runs: let it end first.`)
    await sleep(lookEveryMs, undefined, { signal })
  }
  const holds = async (): Promise<boolean> => (await redis.get(repartitionKey)) === id
  const renew = async (): Promise<void> => {
    if (await holds()) await redis.pexpire(repartitionKey, lockMs)
  }
  const timer = setInterval(() => void renew().catch(() => {}), renewEveryMs)
  return {
    waited,
    require: async () => {
      if (await holds()) return
      throw new OrdersError('ORD_USAGE', `Another ${command} may have taken over: run this one again.`)
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      if (await holds().catch(() => false)) await redis.del(repartitionKey)
    },
  }
}
