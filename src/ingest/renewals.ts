import { setTimeout as sleep } from 'node:timers/promises'
import { ChangeMessageVisibilityBatchCommand } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../app.ts'
import { withRunningTimeout } from '../running-timeout.ts'
import { reportOutage } from './failure-log.ts'
import { callMs, type Held, type HeldEntry } from './held.ts'
import type { Queue } from './sqs/queue.ts'

/** Sixteen calls of 10 ms at once renew all messages in flight well within a visibility timeout. */
const renewalsAtOnce = 16

/** Renews the messages that SQS would soon show to other consumers. */
export type RenewDue = (tick: Tick, signal: AbortSignal) => Promise<void>

/** Keeps messages hidden. They are renewed at half time, which leaves as long again if SQS is away. */
export function openRenewals(app: App, queue: Queue, held: ReadonlySet<Held>): RenewDue {
  const outage = reportOutage(app, 'renew')
  const timeoutSeconds = app.config.sqsVisibilityTimeoutSeconds
  const hiddenMs = timeoutSeconds * 1_000

  async function renew(batch: Held): Promise<void> {
    const from = performance.now()
    const { entries } = batch // some may be deleted before SQS replies
    const lost = await hideLonger(queue, entries, timeoutSeconds)
    app.telemetry.emit('renewed', { messages: entries.length - lost })
    batch.hiddenUntil = from + hiddenMs
  }

  return async (tick, signal) => {
    await sleep(Math.min(1_000, hiddenMs / 8), undefined, { signal })
    const due = dueBy(held, performance.now() + hiddenMs / 2)
    if (due.length === 0) outage.worked(held) // messages that could not be renewed have been deleted since
    tick()
    while (due.length > 0) {
      signal.throwIfAborted() // There may be thousands, and SQS may be slow: a stop and the watchdog wait for one group.
      tick()
      const group = due.splice(0, renewalsAtOnce).filter((batch) => held.has(batch))
      const failed = (await Promise.allSettled(group.map(renew))).find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') outage.failed(failed.reason, held)
      else outage.worked(held)
    }
  }
}

/** Returns the batches that become visible before the given time, the first ones first. */
function dueBy(held: ReadonlySet<Held>, time: number): Held[] {
  return [...held].filter(({ hiddenUntil }) => hiddenUntil < time).sort((a, b) => a.hiddenUntil - b.hiddenUntil)
}

/** Hides messages again. @returns how many could not be renewed because they are visible again or gone */
async function hideLonger({ sqs, url }: Queue, entries: readonly HeldEntry[], seconds: number): Promise<number> {
  const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds }))
  const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries })
  const { Failed = [] } = await withRunningTimeout(callMs, (abortSignal) => sqs.send(command, { abortSignal }))
  const refused = new Set(Failed.map(({ Id }) => Id))
  return entries.filter(({ Id }) => refused.has(Id)).length
}
