import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteMessageBatchCommand, type Message } from '@aws-sdk/client-sqs'
import type { App, Tick } from '../app.ts'
import { withRunningTimeout } from '../running-timeout.ts'
import type { Durability } from './durability.ts'
import { reportOutage, retryDelayMs } from './failure-log.ts'
import { callMs, type Held, type HeldEntry } from './held.ts'
import type { Write } from './lane.ts'
import { type Mailbox, mailbox } from './mailbox.ts'
import { openRenewals } from './renewals.ts'
import { type Patience, retryUntilDone } from './retry.ts'
import type { Queue } from './sqs/queue.ts'

/**
 * The deletion queue, for which polling never waits. Messages are deleted once their writes are durable. Until then, and
 * while Redis takes no writes, they are kept hidden in SQS. SQS delivers released messages again, and those that are still
 * held when the process dies. The ledger recognizes them.
 */
export interface Deletions {
  hold(messages: readonly Message[]): Held
  written(held: Held, writes: readonly Write[]): void
  release(held: Held): void
  /** Resolves when there is room for another receive. */
  room(tick: Tick, signal: AbortSignal): Promise<void>
  /** Resolves when nothing is held: all that was written is deleted or released. */
  emptied(signal: AbortSignal): Promise<void>
  /** Deletes until the signal aborts. Then it waits for the pollers and deletes what is left, for STOP_GRACE_MS at most. */
  run(tick: Tick, signal: AbortSignal): Promise<void>
}

/** Receives, of ten messages each: half of the 120,000 messages of a queue that SQS lets be in flight. */
const maxHeld = 6_000

/** The messages in flight: each batch is written, then durable, then deleted. */
interface InFlight {
  readonly held: Set<Held>
  readonly written: Mailbox<Held>
  readonly durable: Mailbox<Held>
}

type Step = (signal: AbortSignal) => Promise<void>

/** @param polling the number of running pollers, which may still bring messages */
export function openDeletions(app: App, queue: Queue, durability: Durability, polling: () => number): Deletions {
  const inFlight: InFlight = { held: new Set(), written: mailbox(), durable: mailbox() }
  const { held, written } = inFlight
  const { bridgePollers, sqsVisibilityTimeoutSeconds, stopGraceMs } = app.config
  const confirmNext = openConfirming(app, durability, inFlight)
  const deleteNext = openDeleting(app, queue, inFlight)
  const renewDue = openRenewals(app, queue, held)
  return {
    hold: (messages) => {
      const entries = messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }))
      const hiddenUntil = performance.now() + sqsVisibilityTimeoutSeconds * 1_000
      const batch = { entries, hiddenUntil, writes: [], writtenAt: 0 }
      held.add(batch)
      return batch
    },
    written: (batch, writes) => written.put(Object.assign(batch, { writes, writtenAt: performance.now() })),
    release: (batch) => held.delete(batch),
    room: async (tick, signal) => {
      while (held.size >= maxHeld) {
        tick()
        await sleep(retryDelayMs, undefined, { signal })
      }
    },
    emptied: async (signal) => {
      while (held.size > 0) await sleep(drainedEveryMs, undefined, { signal })
    },
    run: (tick, signal) => {
      const deleters = Array.from({ length: bridgePollers }, () => deleteNext)
      const steps: Step[] = [confirmNext, (end) => renewDue(tick, end), ...deleters]
      return repeatUntilDrained(steps, () => polling() === 0 && held.size === 0, stopGraceMs, signal)
    },
  }
}

/** An fsync may be running when one is requested. On a slow disk it takes seconds. */
const confirmPatience: Patience = { betweenMs: 100, quietMs: 5_000 }

/** Confirms writes in groups. Batches written into another incarnation of Redis are released. */
function openConfirming(app: App, durability: Durability, { held, written, durable }: InFlight): Step {
  const outage = reportOutage(app, 'confirm')
  return async (signal) => {
    const first = await written.next(signal)
    await sleep(Math.max(0, first.writtenAt + durability.settleMs - performance.now()), undefined, { signal })
    const old = performance.now() - durability.settleMs
    const group = [first, ...written.takeWhile(({ writtenAt }) => writtenAt <= old)]
    const partitions = [...new Set(group.flatMap(({ writes }) => writes.map(({ keys }) => keys)))]
    const confirmed = await Promise.all(
      partitions.map((keys) => retryUntilDone(outage, () => durability.confirm(keys), signal, confirmPatience)),
    )
    for (const batch of group) {
      if (batch.writes.every(({ keys, incarnation }) => confirmed[partitions.indexOf(keys)] === incarnation))
        durable.put(batch)
      else held.delete(batch)
    }
  }
}

/** Deletes a batch from SQS. Messages that SQS could not delete are tried again. */
function openDeleting(app: App, queue: Queue, { held, durable }: InFlight): Step {
  const outage = reportOutage(app, 'delete')
  return async (signal) => {
    const batch = await durable.next(signal)
    app.telemetry.emit('durable', { messages: batch.entries.length })
    const left = await retryUntilDone(outage, () => deleteBatch(queue, batch.entries), signal)
    app.telemetry.emit('deleted', { messages: batch.entries.length - left.length })
    batch.entries = left
    if (left.length === 0) held.delete(batch)
    else setTimeout(() => durable.put(batch), retryDelayMs).unref()
  }
}

/** @returns the messages to try again; one that SQS will never delete is not among them */
async function deleteBatch({ sqs, url }: Queue, entries: readonly HeldEntry[]): Promise<HeldEntry[]> {
  const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries: [...entries] })
  const { Failed = [] } = await withRunningTimeout(callMs, (abortSignal) => sqs.send(command, { abortSignal }))
  const again = new Set(Failed.filter(({ SenderFault }) => !SenderFault).map(({ Id }) => Id))
  return entries.filter(({ Id }) => again.has(Id))
}

/** Repeats each step until the signal aborts, and then until `isDrained` or the grace is over. */
async function repeatUntilDrained(
  steps: readonly Step[],
  isDrained: () => boolean,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const end = new AbortController()
  const repeat = async (step: Step): Promise<never> => {
    for (;;) await step(end.signal)
  }
  const working = Promise.all(steps.map(repeat))
  const stopped = signal.aborted ? Promise.resolve() : once(signal, 'abort', { signal: end.signal })
  const drained = stopped.then(() => drain(isDrained, graceMs))
  try {
    await Promise.race([working, drained])
  } finally {
    end.abort()
    await Promise.allSettled([working, drained])
  }
}

/** Time between two looks at what is still held. */
const drainedEveryMs = 20

async function drain(isDrained: () => boolean, graceMs: number): Promise<void> {
  const until = performance.now() + graceMs
  while (!isDrained() && performance.now() < until) await sleep(drainedEveryMs)
}
