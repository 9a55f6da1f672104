import { setTimeout as sleep } from 'node:timers/promises'
import { OrdersError } from '../../../errors.ts'
import { isAway } from '../../../redis/errors.ts'
import { clearTerminal, type Output, printError } from '../output.ts'

const everyMs = 1_000
const away = 'Redis does not answer: make sure that it runs.'

export interface Watch {
  /** Shows it again every second until the signal aborts, instead of once. */
  readonly watch: boolean
  /** Keeps the screen, which is otherwise cleared each time. */
  readonly json: boolean
  readonly signal: AbortSignal
  print(output: Output): void
}

/**
 * Shows the result of `read`. While it is watching, it reports an outage of Redis and waits for its end.
 * @throws OrdersError ORD_REDIS_UNREACHABLE when it shows only once and Redis does not answer.
 */
export async function show({ watch, json, signal, print }: Watch, read: () => Promise<Output>): Promise<void> {
  do {
    const output = await read().catch((error: unknown) => {
      if (!isAway(error)) throw error
      if (!watch) throw new OrdersError('ORD_REDIS_UNREACHABLE', away, { cause: error })
      return undefined
    })
    signal.throwIfAborted()
    if (watch && !json) clearTerminal()
    if (output === undefined) printError(away)
    else print(output)
    if (watch) await sleep(everyMs, undefined, { signal })
  } while (watch)
}
