import { setTimeout as sleep } from 'node:timers/promises'
import { sampleOrders } from '../../src/ops/local/sample-orders.ts'
import type { Oracle } from './oracle.ts'
import { sendBodies } from './send.ts'
import type { Env } from './world.ts'

/** Orders, sent a few at a time until it is disposed; the oracle knows them. */
export function traffic(env: Env, oracle: Oracle, { valid = 30, invalid = 0 } = {}): AsyncDisposable {
  let isOver = false
  const run = async (): Promise<void> => {
    for (let seed = 1; !isOver; seed++) {
      const bodies = [...sampleOrders({ valid, invalid, users: 20, seed })].map(({ body }) => body)
      for (const body of bodies) oracle.take(body)
      await sendBodies(env, bodies)
      await sleep(100)
    }
  }
  const running = run()
  return {
    [Symbol.asyncDispose]: async () => {
      isOver = true
      await running
    },
  }
}
