import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../../api/failure.ts'
import { OrdersError } from '../../errors.ts'
import { clearTerminal, type Output, printError } from './output.ts'

const everyMs = 1_000
const away = 'Redis does not answer: see that it runs.'

export interface Watch {
  /** Again every second until the signal aborts; else once. */
  readonly watch: boolean
  /** Where the screen is not to be cleared. */
  readonly json: boolean
  readonly signal: AbortSignal
  print(output: Output): void
}

/**
 * Shows what `read` gives. Redis away is said, and waited out.
 * @throws OrdersError ORD_REDIS_UNREACHABLE where it is to be shown once and Redis does not answer.
 */
export async function show({ watch, json, signal, print }: Watch, read: () => Promise<Output>): Promise<void> {
  do {
    const output = await read().catch((error: unknown) => {
      if (failure(error).status !== 503) throw error
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
