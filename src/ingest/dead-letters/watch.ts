import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { noteDeadLetters, readDeadLetters } from '../../control/dead-letters.ts'
import { inspectQueue } from '../sqs/queue.ts'

/** A count takes four calls of SQS, each of which is paid for. */
const countEveryMs = 60_000
const tickEveryMs = 1_000

/** Returns a loop of a bridge that counts the dead letters, unless another bridge has counted them recently. */
export function deadLetterLoop(app: App): Loop {
  return {
    name: 'bridge-dead-letters',
    run: async (tick, signal) => {
      let countedAt = Number.NEGATIVE_INFINITY
      for await (const _ of every(tickEveryMs, undefined, { signal })) {
        if (performance.now() - countedAt >= countEveryMs) {
          countedAt = performance.now()
          await count(app, signal).catch(() => {}) // the pollers report that SQS or Redis is away
        }
        tick()
      }
    },
  }
}

async function count({ config, redis, control, now }: App, signal: AbortSignal): Promise<void> {
  const before = await readDeadLetters(redis, control)
  if (before && now().getTime() - Date.parse(before.at) < countEveryMs / 2) return
  const state = await inspectQueue(config, signal)
  if (state.status !== 'found' || state.deadLetters === undefined) return
  await noteDeadLetters(redis, control, { messages: state.deadLetters, before, now: now() })
}
