import { messageOf } from '../errors.ts'
import { isNotMaster, refusalOfWrites } from '../write-refusals.ts'

/** At most half a second between tries: a restarted Redis is found again at once, an absent one is not flooded. */
export const retryDelayMs = (times: number): number => Math.min(2 ** times * 10, 500)

/**
 * Sent again on the next connection: a server that is not the master has not carried them out. Others fail, and whoever
 * sent them tries again: within a transaction they must not be sent alone.
 */
const sentAgain = new Set(['eval', 'evalsha', 'xreadgroup', 'xautoclaim', 'bzpopmin'])

/** A server that was not the master this long ago is not known to be one now. */
export const doubtMs = 1_000

/** Whether the server at the other end is the master, as far as its replies say. */
export interface Role {
  /** For ioredis: whether to replace the connection, and (2) to send the command again on the next one. */
  reconnects(error: Error, resends: boolean): boolean | 2
  /** How long to wait before the next connection: a replica takes connections at once, and says the same again. */
  delayMs(): number
  /** Ms since a reply said that it is not the master. */
  sinceDoubtMs(): number
  /** Called with what the server said. */
  onDoubt(listener: (message: string) => void): void
}

export function openRole(): Role {
  let [refusals, refusedAt] = [0, Number.NEGATIVE_INFINITY]
  const listeners: ((message: string) => void)[] = []
  const sinceDoubtMs = (): number => performance.now() - refusedAt
  return {
    reconnects: (error, resends) => {
      if (!isNotMaster(error)) return false
      refusals = sinceDoubtMs() > doubtMs ? 1 : refusals + 1
      refusedAt = performance.now()
      for (const listener of listeners) listener(refusalOfWrites(error) ?? messageOf(error))
      const { command } = error as { command?: { name?: string } }
      return resends && sentAgain.has(command?.name ?? '') ? 2 : true
    },
    delayMs: () => (sinceDoubtMs() > doubtMs ? 0 : retryDelayMs(refusals)),
    sinceDoubtMs,
    onDoubt: (listener) => void listeners.push(listener),
  }
}
