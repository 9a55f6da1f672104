import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { OrdersError } from '../errors.ts'
import { lockKey } from '../keys.ts'
import type { RedisClient } from '../redis/client.ts'
import { defineScript } from '../redis/script.ts'

const renewOrRelease = defineScript(import.meta.url, z.literal([0, 1]))

/** A killed process still holds the lock for this long. */
const lockMs = 8_000
const renewEveryMs = 2_000
const retryEveryMs = 200

export interface Lock extends AsyncDisposable {
  /** True if another process held it first. */
  readonly waited: boolean
  /** Asks Redis. @throws OrdersError ORD_USAGE if this process does not hold it any more */
  require(): Promise<void>
}

/**
 * Waits for the lock of the one command that rewrites numbers (see `pipeline:repartition`), and renews it until it is disposed.
 * @param command named in messages
 * @throws OrdersError ORD_USAGE if another process keeps it
 */
export async function holdLock(
  redis: RedisClient,
  print: (line: string) => void,
  signal: AbortSignal,
  command = 'orders repartition',
): Promise<Lock> {
  const holder = randomUUID()
  const waited = await acquire({ redis, holder, print, command }, signal)
  const timer = setInterval(() => void keepFor(redis, holder, lockMs).catch(() => {}), renewEveryMs)
  return {
    waited,
    require: async () => {
      if ((await redis.get(lockKey)) === holder) return
      throw new OrdersError('ORD_USAGE', `Another ${command} may have taken over: run this one again.`)
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await keepFor(redis, holder, 0).catch(() => {}) // it expires by itself
    },
  }
}

interface Acquiring {
  readonly redis: RedisClient
  readonly holder: string
  readonly command: string
  print(line: string): void
}

/** Returns whether it had to wait. */
async function acquire({ redis, holder, command, print }: Acquiring, signal: AbortSignal): Promise<boolean> {
  const until = performance.now() + 2 * lockMs
  let waited = false
  while (!(await redis.set(lockKey, holder, 'PX', lockMs, 'NX'))) {
    if (!waited) print(`Another ${command} runs, or was killed a moment ago: waiting for it.`)
    waited = true
    if (performance.now() > until) throw new OrdersError('ORD_USAGE', `Another ${command} runs: let it end first.`)
    await sleep(retryEveryMs, undefined, { signal })
  }
  return waited
}

/** Keeps the lock for so many milliseconds from now on, or releases it at 0; does nothing if another process holds it. */
async function keepFor(redis: RedisClient, holder: string, ms: number): Promise<void> {
  await renewOrRelease(redis, [lockKey], [holder, ms])
}
