import { messageOf } from '../errors.ts'
import { isNotMaster, refusalOfWrites } from './errors.ts'

/** At most half a second between tries: a restarted Redis is found quickly, an absent one is not flooded. */
export const retryDelayMs = (times: number): number => Math.min(2 ** times * 10, 500)

/**
 * Commands that are sent again on the next connection: a server that is not the master has not executed them. Other commands
 * fail and their callers retry: a command of a transaction must not be sent alone.
 */
const sentAgain = new Set(['eval', 'evalsha', 'xreadgroup', 'xautoclaim', 'bzpopmin'])

/** Ms after a refusal during which a server may still not be the master. */
export const doubtMs = 1_000

/** Tracks by its replies whether the server at the other end is the master. */
export interface Role {
  /** For ioredis: true replaces the connection, 2 also sends the command again on the next one. */
  reconnects(error: Error, resends: boolean): boolean | 2
  /** Returns the delay before the next connection: a replica accepts it at once and refuses again. */
  delayMs(): number
  /** Returns the ms since a reply said that it is not the master. */
  sinceDoubtMs(): number
  /** Calls the listener with the message of each such reply. */
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
