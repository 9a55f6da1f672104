import { setTimeout as sleep } from 'node:timers/promises'
import { type Outage, retryDelayMs } from './failure-log.ts'

/** Slows down a poller whose receives come back empty at once, though each asks SQS to wait: each is paid for. */
export interface EmptyReceives {
  answered(messages: number, tookMs: number): void
  pause(signal: AbortSignal): Promise<void>
}

/** A few may come in a row: messages that other processes received, a queue whose servers do not all know of a message. */
const maxInRow = 10

/** Counts the empty answers that a message explains: some servers wake every poller for it, and only one gets it. */
export interface Wakeups {
  received(): void
  /** Reports whether messages explain one more empty answer. */
  explain(): boolean
}

/** @param pollers the number of pollers at work in this process */
export function openWakeups(pollers: () => number): Wakeups {
  let explained = 0
  return {
    received: () => {
      explained = pollers() - 1
    },
    explain: () => {
      explained--
      return explained >= 0
    },
  }
}

/** @param shared by all pollers of the queue; the outage ends when an empty receive has waited, or none comes back empty */
export function openEmptyReceives(
  { waiting, wakeups }: { waiting: Outage; wakeups: Wakeups },
  poller: object,
  waitSeconds: number,
): EmptyReceives {
  const asks = `SQS answers receives empty at once, though each asks it to wait ${waitSeconds} s and is paid for`
  const error = new Error(`${asks}: see what stands between. Meanwhile each poller asks once a second.`)
  let inRow = 0
  let full = 0 // receives with messages, in a row
  const works = (): void => {
    inRow = 0
    waiting.worked(poller)
  }
  return {
    answered: (messages, tookMs) => {
      full = messages > 0 ? full + 1 : 0
      if (messages > 0) {
        wakeups.received()
        inRow = Math.min(inRow, maxInRow - 1) // what came may not be all
        if (full === maxInRow) works()
      } else if (tookMs >= waitSeconds * 500) works()
      else if (!wakeups.explain() && ++inRow >= maxInRow) waiting.failed(error, poller)
    },
    pause: async (signal) => {
      if (inRow >= maxInRow) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
