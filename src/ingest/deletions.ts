import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChangeMessageVisibilityBatchCommand, DeleteMessageBatchCommand, type Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../app.ts'
import type { Durability } from './durability.ts'
import { type Outage, reportOutage, retryDelayMs } from './failure-log.ts'
import { mailbox } from './mailbox.ts'
import type { Queue } from './sqs/queue.ts'
import type { Write } from './writer.ts'

/** The messages of one receive, from then until they are deleted or let go. */
export interface Held {
  entries: readonly Entry[]
  /** Until when SQS hides them from others, by performance.now(). */
  hiddenUntil: number
  writes: readonly Write[]
  writtenAt: number
}

interface Entry {
  readonly Id: string
  readonly ReceiptHandle: string | undefined
}

/**
 * The deletion queue: polling never waits for it. Messages are deleted once what was written of them is durable; until
 * then, and while Redis takes no writes, SQS is kept from handing them out again. What is let go, or still here when the
 * process dies, comes again, and the ledger knows it.
 */
export interface Deletions {
  hold(messages: readonly Message[]): Held
  written(held: Held, writes: readonly Write[]): void
  letGo(held: Held): void
  /** Resolves when there is room for another receive. */
  room(tick: Tick, signal: AbortSignal): Promise<void>
  /** Deletes until the signal aborts; then what is left, for STOP_GRACE_MS at most, once no poller is at work. */
  run(tick: Tick, signal: AbortSignal): Promise<void>
}

/** Receives, of ten messages each: half of the 120,000 messages of a queue that SQS lets be in flight. */
const mostHeld = 6_000

/** @param polling the number of pollers at work, which may still bring messages */
export function openDeletions(app: App, queue: Queue, durability: Durability, polling: () => number): Deletions {
  const held = new Set<Held>()
  const written = mailbox<Held>()
  const durable = mailbox<Held>()
  const confirming = reportOutage(app, 'confirm')
  const deleting = reportOutage(app, 'delete')
  const renewing = reportOutage(app, 'renew')
  const hiddenMs = app.config.sqsVisibilityTimeoutSeconds * 1_000

  /** Confirms what was written, in groups, and passes it on; what went into another history of Redis is let go. */
  async function settle(signal: AbortSignal): Promise<void> {
    const first = await written.next(signal)
    await sleep(Math.max(0, first.writtenAt + durability.settleMs - performance.now()), undefined, { signal })
    const old = performance.now() - durability.settleMs
    const group = [first, ...written.takeWhile(({ writtenAt }) => writtenAt <= old)]
    const partitions = [...new Set(group.flatMap(({ writes }) => writes.map(({ keys }) => keys)))]
    const confirmed = await Promise.all(
      partitions.map((keys) => persistently(confirming, () => durability.confirm(keys), signal, confirmPatience)),
    )
    for (const batch of group) {
      if (batch.writes.every(({ keys, history }) => confirmed[partitions.indexOf(keys)] === history)) durable.put(batch)
      else held.delete(batch)
    }
  }

  async function deleteNext(signal: AbortSignal): Promise<void> {
    const batch = await durable.next(signal)
    app.telemetry.emit('durable', { messages: batch.entries.length })
    const left = await persistently(deleting, () => deleteBatch(queue, batch.entries), signal)
    app.telemetry.emit('deleted', { messages: batch.entries.length - left.length })
    batch.entries = left
    if (left.length === 0) held.delete(batch)
    else setTimeout(() => durable.put(batch), retryDelayMs).unref()
  }

  async function renew(batch: Held): Promise<void> {
    const from = performance.now()
    const { entries } = batch // some may be deleted before the answer is here
    const lost = await hideLonger(queue, entries, app.config.sqsVisibilityTimeoutSeconds)
    app.telemetry.emit('renewed', { messages: entries.length - lost })
    batch.hiddenUntil = from + hiddenMs
  }

  /** At half time: there is as long again for SQS to be away. */
  async function keepHidden(tick: Tick, signal: AbortSignal): Promise<void> {
    await sleep(Math.min(1_000, hiddenMs / 8), undefined, { signal })
    const soon = performance.now() + hiddenMs / 2
    const due = [...held].filter(({ hiddenUntil }) => hiddenUntil < soon)
    due.sort((a, b) => a.hiddenUntil - b.hiddenUntil)
    if (due.length === 0) renewing.worked(held) // what could not be renewed has been deleted since
    tick()
    while (due.length > 0) {
      signal.throwIfAborted() // there may be thousands, and SQS may be slow: neither a stop nor the watchdog waits for all
      tick()
      const renewed = await Promise.allSettled(
        due
          .splice(0, renewalsAtOnce)
          .filter((batch) => held.has(batch))
          .map(renew),
      )
      const failed = renewed.find((outcome) => outcome.status === 'rejected')
      if (failed) renewing.failed(failed.reason, held)
      else renewing.worked(held)
    }
  }

  return {
    hold: (messages) => {
      const entries = messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }))
      const batch = { entries, hiddenUntil: performance.now() + hiddenMs, writes: [], writtenAt: 0 }
      held.add(batch)
      return batch
    },
    written: (batch, writes) => written.put(Object.assign(batch, { writes, writtenAt: performance.now() })),
    letGo: (batch) => held.delete(batch),
    room: async (tick, signal) => {
      while (held.size >= mostHeld) {
        tick()
        await sleep(retryDelayMs, undefined, { signal })
      }
    },
    run: async (tick, signal) => {
      const end = new AbortController()
      const repeat = async (step: (signal: AbortSignal) => Promise<void>): Promise<never> => {
        for (;;) await step(end.signal)
      }
      const deleters = Array.from({ length: app.config.bridgePollers }, () => repeat(deleteNext))
      const working = Promise.all([repeat(settle), repeat((end) => keepHidden(tick, end)), ...deleters])
      const stopped = signal.aborted ? Promise.resolve() : once(signal, 'abort', { signal: end.signal })
      const drained = stopped.then(() => drain(() => polling() === 0 && held.size === 0, app.config.stopGraceMs))
      try {
        await Promise.race([working, drained])
      } finally {
        end.abort()
        await Promise.allSettled([working, drained])
      }
    },
  }
}

/** Waits until `empty` or the grace is over. */
async function drain(empty: () => boolean, graceMs: number): Promise<void> {
  const until = performance.now() + graceMs
  while (!empty() && performance.now() < until) await sleep(20)
}

/** These calls take milliseconds; one on a dead connection must not outlast the shortest visibility timeout, 5 s. */
const callMs = 2_000
/** Sixteen calls of 10 ms in flight renew what is in flight at most well within a visibility timeout. */
const renewalsAtOnce = 16

interface Patience {
  readonly betweenMs: number
  /** What passes within is no outage. */
  readonly quietMs: number
}
const callPatience: Patience = { betweenMs: retryDelayMs, quietMs: 0 }
/** An fsync may be under way when it is asked for; on a slow disk it takes seconds. */
const confirmPatience: Patience = { betweenMs: 100, quietMs: 5_000 }

/** Tries until it works; the outage is reported once. */
async function persistently<T>(
  outage: Outage,
  what: () => Promise<T>,
  signal: AbortSignal,
  { betweenMs, quietMs }: Patience = callPatience,
): Promise<T> {
  const since = performance.now()
  const call = {}
  for (;;) {
    try {
      const done = await what()
      outage.worked(call)
      return done
    } catch (error) {
      signal.throwIfAborted()
      if (performance.now() - since >= quietMs) outage.failed(error, call)
      await sleep(betweenMs, undefined, { signal })
    }
  }
}

/** @returns those that SQS could not delete just now; one that it will never delete is nobody's any more */
async function deleteBatch({ sqs, url }: Queue, entries: readonly Entry[]): Promise<Entry[]> {
  const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries: [...entries] })
  const { Failed = [] } = await sqs.send(command, { abortSignal: AbortSignal.timeout(callMs) })
  const again = new Set(Failed.filter(({ SenderFault }) => !SenderFault).map(({ Id }) => Id))
  return entries.filter(({ Id }) => again.has(Id))
}

/** @returns how many could not be renewed: they are visible again, or gone */
async function hideLonger({ sqs, url }: Queue, entries: readonly Entry[], seconds: number): Promise<number> {
  const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds }))
  const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries })
  const { Failed = [] } = await sqs.send(command, { abortSignal: AbortSignal.timeout(callMs) })
  const refused = new Set(Failed.map(({ Id }) => Id))
  return entries.filter(({ Id }) => refused.has(Id)).length
}
