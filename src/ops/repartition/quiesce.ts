import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import { type Queues, queueNames } from '../../control/job-queues.ts'
import { pauseComponent, readPauses, resumeComponent } from '../../control/pauses.ts'
import { OrdersError } from '../../errors.ts'
import type { KeyKind } from '../../keys/declaration.ts'
import { type ControlKeys, lastingControlKeys } from '../../keys.ts'
import { waitingByStage } from '../../reads/backlog.ts'
import { readBooks } from '../../reads/books.ts'
import { readCounters } from '../../reads/counters.ts'
import { readMissedBefore } from '../../stages/missed-before.ts'
import { sum } from '../../sums.ts'
import { noticedMs } from '../manifest/check.ts'
import { forgetRepartition, type Repartition } from '../manifest/repartition.ts'
import { drain, leftLines } from '../process/drain.ts'
import { deepCheck } from '../verify/deep-check.ts'
import { requireFinished } from './clear.ts'
import { lengthsOf } from './move-invalid.ts'
import { readLedgerCounts } from './move-ledger.ts'

/** The name under which a repartition pauses components. */
const operator = 'orders repartition'
export const reasonOf = ({ to }: Repartition): string =>
  `orders are being moved: ends with orders repartition --to ${to}`

/** A halt before orders are moved. `before` and `after` have the old and the new partitions. */
export interface Halt {
  readonly queues: Queues
  readonly timeoutMs: number
  print(line: string): void
  readonly before: App
  readonly after: App
  alive(): Promise<void>
  noteQueues(queues: string[]): Promise<void>
  readonly reason: string
}

/**
 * Brings the system to a halt: no order arrives or waits, and no process writes to the old partitions any more.
 * @throws OrdersError when that takes too long, or the books do not balance
 */
export async function quiesce(halt: Halt, signal: AbortSignal): Promise<Partial<Repartition>> {
  const { before, after, queues, print, timeoutMs, alive } = halt
  const { redis } = before
  await alive()
  await pause(before, ['bridge'], halt.reason)
  const running = await Promise.all(queueNames.map(async (name) => ((await queues[name].isPaused()) ? [] : [name])))
  if (running.flat().length > 0) await halt.noteQueues(running.flat())
  for (const name of running.flat()) await queues[name].pause()
  print('Paused; waiting until no job runs and no order waits.')
  await idle(queues, timeoutMs, signal)
  await drained(before, timeoutMs, signal)
  for (const { layoutKey } of [...before.partitions, ...after.partitions]) {
    await alive()
    await redis.set(layoutKey, after.partitions.length)
  }
  await drained(before, timeoutMs, signal) // drains the orders that were written until then
  await alive()
  await pause(before, before.pipeline.components, halt.reason)
  if (before.control.pauses !== after.control.pauses) await bringAlong(before, after)
  await sleep(noticedMs)
  for (const keys of before.partitions) await requireFinished(before, keys)
  const totals = await readCounters(redis, before.partitions)
  const wrong = await differences(before, totals, signal)
  if (wrong.length > 0)
    throw unbalanced(
      'Nothing was moved, because the books do not balance: run orders verify --deep --repair, and then this again.',
      wrong,
    )
  for (const loss of (await readBooks(before)).losses) print(`${loss} The books of the new partitions keep this.`)
  const ledgerCounts = await readLedgerCounts(redis, before.partitions)
  const missedBefore = await readMissedBefore(before)
  return { totals, ledgerCounts, missedBefore, ...(await lengthsOf(redis, before.partitions)) }
}

/** Gives lasting control keys their new names. Hashes are copied, because processes read them meanwhile. */
async function bringAlong({ redis, control }: App, after: App): Promise<void> {
  for (const { name, kind, to } of lastingKeys(control, after.control)) {
    if (kind !== 'hash') continue
    const fields = await redis.hgetall(name)
    if (Object.keys(fields).length > 0) await redis.hset(to, fields)
  }
  await renameRest(redis, control, after.control)
}

async function renameRest(redis: App['redis'], from: ControlKeys, after: ControlKeys): Promise<void> {
  for (const { name, kind, to } of lastingKeys(from, after))
    if (kind !== 'hash' && (await redis.exists(name)) === 1) await redis.renamenx(name, to)
}

function lastingKeys(from: ControlKeys, after: ControlKeys): { name: string; kind: KeyKind; to: string }[] {
  const names = lastingControlKeys(after).map(({ name }) => name)
  return lastingControlKeys(from).map((key, at) => ({ ...key, to: names[at] ?? key.name }))
}

/** Restores the state before the halt. Nothing has been moved yet. */
export async function undo({
  before,
  after,
  queues,
  state,
}: Pick<Halt, 'before' | 'after' | 'queues'> & { state: Repartition }): Promise<void> {
  const { redis, control } = before
  for (const { layoutKey } of after.partitions) await redis.del(layoutKey)
  for (const { layoutKey, layout } of before.partitions) await redis.set(layoutKey, layout)
  if (control.pauses !== after.control.pauses) {
    for (const { to, kind } of lastingKeys(control, after.control)) if (kind === 'hash') await redis.del(to)
    await renameRest(redis, after.control, control)
  }
  await resume(before, queues, state)
  await forgetRepartition(redis)
}

/** Pauses components, except those that an operator has paused: they must stay paused afterwards. */
async function pause(app: App, names: readonly string[], reason: string): Promise<void> {
  const paused = await readPauses(app.redis, app.control)
  for (const component of names)
    if (!(component in paused)) await pauseComponent(app, component, { by: operator, reason })
}

export async function resume(app: App, queues: Queues, state: Repartition): Promise<void> {
  const paused = await readPauses(app.redis, app.control)
  for (const component of app.pipeline.components)
    if (paused[component]?.by === operator) await resumeComponent(app, component, { by: operator })
  for (const name of queueNames) if (state.queues.includes(name)) await queues[name].resume()
}

const checkEveryMs = 200

async function idle(queues: Queues, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + timeoutMs
  for (;;) {
    const active = sum(await Promise.all(queueNames.map((name) => queues[name].getActiveCount())))
    if (active === 0) return
    if (performance.now() > until) {
      throw new OrdersError('ORD_JOB', `${active} jobs still run: nothing was moved, so try again when they are done.`)
    }
    await sleep(checkEveryMs, undefined, { signal })
  }
}

async function drained(app: App, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { drained, stages } = await drain(app, { timeoutMs, show: undefined }, signal)
  if (drained) return
  const lines = await leftLines(app, waitingByStage(stages), timeoutMs / 1_000)
  throw new OrdersError(
    'ORD_BOOKS',
    `${lines.join('\n')}\nNothing was moved: make sure that all stages run, and try again.`,
  )
}

/**
 * Returns a sentence for each difference in books, users, leaderboards and counters. Missing orders do not count: their
 * counters move with the rest.
 */
export async function differences(
  app: App,
  totals: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<string[]> {
  const books = await readBooks(app)
  const audited = await deepCheck(app, signal)
  const counters = await readCounters(app.redis, app.partitions)
  const names = [...new Set([...Object.keys(totals), ...Object.keys(counters)])]
  const changed = names.flatMap((name) => {
    const [was = 0, is = 0] = [totals[name], counters[name]]
    return was === is ? [] : [`The counter ${name} is ${is}, not ${was}.`]
  })
  return [...books.differences, ...(audited.verdict === 'right' ? [] : audited.differences), ...changed]
}

/** @param text says what was done and what to do */
export const unbalanced = (text: string, differences: readonly string[]): OrdersError =>
  new OrdersError('ORD_BOOKS', [text, ...differences].join('\n'))
