import type { Config } from '../../config/config.ts'
import type { Retry } from '../../invalid-order.ts'
import { idMs, isoOf } from '../../stream-id.ts'

/** The verdicts on retried orders are counted in the outcome of this name. It is no job of a queue. */
export const retriesJob = 'retries'

export type RetryPolicy = Pick<Config, 'retryCodes' | 'retryDelays'>

/** The facts of an invalid order that decide on its next retry. */
export interface Retried {
  readonly id: string
  readonly code: string
  readonly attempts?: number | undefined
  /** Set by a later stage, which does not count attempts: only the first stage's orders are retried. */
  readonly stage?: string | undefined
}

/**
 * Says when an invalid order is retried next: so long after its last rejection, by how often it was rejected. Undefined for an
 * order that is only replayed by hand.
 */
export function retryOf({ id, code, attempts = 1, stage }: Retried, policy: RetryPolicy): Retry | undefined {
  if (stage !== undefined || !retriesCode(code, policy)) return undefined
  const delay = policy.retryDelays[attempts - 1]
  return delay === undefined ? { given_up: true } : { next: isoOf(idMs(id) + delay) }
}

export const retriesCode = (code: string, { retryCodes }: Pick<RetryPolicy, 'retryCodes'>): boolean =>
  retryCodes.some((one) => one === code)

/** Says in a sentence when an order is retried next. */
export function retryText({ next, given_up }: Retry, now: Date): string {
  if (given_up) return 'Its retries are used up: replay it by hand once its cause is gone, or discard it.'
  return next !== undefined && Date.parse(next) > now.getTime()
    ? `It is retried by itself at ${next}.`
    : 'It is retried by itself now.'
}
