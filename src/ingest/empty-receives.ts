import { setTimeout as sleep } from 'node:timers/promises'
import { type Outage, retryDelayMs } from './failure-log.ts'

/** Slows down a poller whose receives come back empty at once, though each asks SQS to wait: each is paid for. */
export interface EmptyReceives {
  answered(messages: number, tookMs: number): void
  pause(signal: AbortSignal): Promise<void>
}

/** A few may come in a row: messages that other processes received, a queue whose servers do not all know of a message. */
const maxInRow = 10

/** An answer after a second was no answer at once: a poller that is slowed down asks as rarely. */
const atOnceMs = 1_000

/** Counts the empty answers that messages explain: some servers wake every poller for a message, and only one gets it. */
export interface Wakeups {
  /** @returns true if messages have explained all empty answers for a while */
  received(): boolean
  /** Reports whether messages explain one more empty answer. */
  explain(): boolean
}

/**
 * Two bridges that receive from one queue get half of its messages each, by chance: for each that this one gets, one that the
 * other got has woken its pollers too. Twice that, as it is half on average only. Where each answer is empty at once, far
 * more of them come between two messages.
 */
const wakesPerMessage = 4
/** The other one may get so many messages in a row. */
const maxElsewhere = 20

/** @param pollers the number of pollers at work in this process */
export function openWakeups(pollers: () => number): Wakeups {
  let explained = 0
  let full = 0 // receives with messages since the last empty answer that none explains
  return {
    received: () => {
      explained = Math.min(explained + wakesPerMessage * pollers() - 1, maxElsewhere * pollers())
      full++
      return full >= maxInRow
    },
    explain: () => {
      if (explained === 0) {
        full = 0
        return false
      }
      explained--
      return true
    },
  }
}

/**
 * @param shared by all pollers of the queue, which are one in the outage: what drops the wait does so for all of them. It ends
 *   when an empty receive has waited, or when messages explain all that came back empty
 */
export function openEmptyReceives(
  { waiting, wakeups }: { waiting: Outage; wakeups: Wakeups },
  waitSeconds: number,
): EmptyReceives {
  const asks = `SQS answers receives empty at once, though each asks it to wait ${waitSeconds} s and is paid for`
  const error = new Error(`${asks}: see what stands between. Meanwhile each poller asks once a second.`)
  let inRow = 0
  return {
    answered: (messages, tookMs) => {
      if (messages > 0) {
        inRow = 0
        if (wakeups.received()) waiting.worked(wakeups)
      } else if (tookMs >= Math.min(atOnceMs, waitSeconds * 500)) {
        inRow = 0
        waiting.worked(wakeups)
      } else if (!wakeups.explain() && ++inRow >= maxInRow) waiting.failed(error, wakeups)
    },
    pause: async (signal) => {
      if (inRow >= maxInRow) await sleep(retryDelayMs, undefined, { signal })
    },
  }
}
