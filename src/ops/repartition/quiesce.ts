import { setTimeout as sleep } from 'node:timers/promises'
import { parts, waitingByStage } from '../../api/routes/steering.ts'
import type { App } from '../../app.ts'
import { type Queues, queueNames } from '../../control/job-queues.ts'
import { pausePart, readSteering, resumePart } from '../../control/pauses.ts'
import { OrdersError } from '../../errors.ts'
import type { ControlKeys } from '../../keys.ts'
import { readBooks } from '../../reads/books.ts'
import { readCounters } from '../../reads/counters.ts'
import { requireFinished } from '../../stages/move.ts'
import { readRemembered } from '../../stages/move-remembered.ts'
import { drain, leftLines } from '../drain.ts'
import { forgetRepartition, type Repartition } from '../manifest.ts'
import { audit } from '../verify/deep-check.ts'
import { lengthsOf } from './move-invalid.ts'

/** Who has paused what a repartition paused. */
const operator = 'orders repartition'
export const reasonOf = ({ to }: Repartition): string =>
  `orders are being moved: ends with orders repartition --to ${to}`

/** Every process looks at the manifest and at what is paused once a second, and ends what it has in hand. */
export const noticedMs = 2_500

/** A halt before orders are moved: what is to stand still, and what goes by the new partitions. */
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
 * Brings the system to a halt: nothing comes in, nothing waits, nobody writes by the old partitions any more.
 * @throws OrdersError where that takes too long, or the books are not right
 */
export async function standStill(halt: Halt, signal: AbortSignal): Promise<Partial<Repartition>> {
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
  await drained(before, timeoutMs, signal) // what was written until then
  await alive()
  await pause(before, parts, halt.reason)
  if (before.control.steering !== after.control.steering) await bringAlong(before, after)
  await sleep(noticedMs)
  for (const keys of before.partitions) await requireFinished(redis, keys)
  const totals = await readCounters(redis, before.partitions)
  const wrong = await differences(before, totals, signal)
  if (wrong.length > 0) throw notRight(wrong, 'mend them first (orders verify --deep)')
  for (const loss of (await readBooks(redis, before.partitions)).losses)
    print(`${loss} The books of the new partitions keep this.`)
  const remembered = await readRemembered(redis, before.partitions)
  return { totals, remembered, ...(await lengthsOf(redis, before.partitions)) }
}

/** What is paused, what the log has said, and the audit, under the names that they will have. */
async function bringAlong({ redis, control }: App, after: App): Promise<void> {
  for (const name of ['steering', 'losses'] as const) {
    const fields = await redis.hgetall(control[name])
    if (Object.keys(fields).length > 0) await redis.hset(after.control[name], fields)
  }
  await moveAudit(redis, control, after.control)
}

async function moveAudit(redis: App['redis'], from: ControlKeys, to: ControlKeys): Promise<void> {
  for (const name of ['audit', 'auditActors'] as const)
    if ((await redis.exists(from[name])) === 1) await redis.renamenx(from[name], to[name])
}

/** As it was: nothing has been moved. */
export async function undo({
  before,
  after,
  queues,
  state,
}: Pick<Halt, 'before' | 'after' | 'queues'> & { state: Repartition }): Promise<void> {
  const { redis, control } = before
  for (const { layoutKey } of after.partitions) await redis.del(layoutKey)
  for (const { layoutKey, layout } of before.partitions) await redis.set(layoutKey, layout)
  if (control.steering !== after.control.steering) {
    await redis.del(after.control.steering)
    await redis.del(after.control.losses)
    await moveAudit(redis, after.control, control)
  }
  await resume(before, queues, state)
  await forgetRepartition(redis)
}

/** What others have paused stays theirs. */
async function pause(app: App, names: readonly string[], reason: string): Promise<void> {
  const paused = await readSteering(app.redis, app.control)
  for (const part of names) if (!(part in paused)) await pausePart(app, part, { by: operator, reason })
}

export async function resume(app: App, queues: Queues, state: Repartition): Promise<void> {
  const paused = await readSteering(app.redis, app.control)
  for (const part of parts) if (paused[part]?.by === operator) await resumePart(app, part, { by: operator })
  for (const name of queueNames) if (state.queues.includes(name)) await queues[name].resume()
}

const lookEveryMs = 200

async function idle({ reprocess, replay }: Queues, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + timeoutMs
  for (;;) {
    const active = (await reprocess.getActiveCount()) + (await replay.getActiveCount())
    if (active === 0) return
    if (performance.now() > until) {
      throw new OrdersError('ORD_JOB', `${active} jobs still run: nothing is moved, try again when they are done.`)
    }
    await sleep(lookEveryMs, undefined, { signal })
  }
}

async function drained(app: App, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { drained, stages } = await drain(app, { timeoutMs, show: undefined }, signal)
  if (drained) return
  const lines = await leftLines(app, waitingByStage(stages), timeoutMs / 1_000)
  throw new OrdersError('ORD_BOOKS', `${lines.join('\n')}\nNothing is moved: see that all stages run, and try again.`)
}

/**
 * Where books, users, leaderboards or counters are not what they are to be, a sentence each. Orders that are missing are
 * no reason not to move the others: their counters move with the rest.
 */
export async function differences(
  app: App,
  totals: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<string[]> {
  const books = await readBooks(app.redis, app.partitions)
  const audited = await audit(app, signal)
  const counters = await readCounters(app.redis, app.partitions)
  const names = [...new Set([...Object.keys(totals), ...Object.keys(counters)])]
  const changed = names.flatMap((name) => {
    const [was = 0, is = 0] = [totals[name], counters[name]]
    return was === is ? [] : [`The counter ${name} is ${is}, not ${was}.`]
  })
  return [...books.differences, ...(audited.verdict === 'right' ? [] : audited.differences), ...changed]
}

export const notRight = (wrong: readonly string[], advice: string): OrdersError =>
  new OrdersError('ORD_BOOKS', `The books are not right: ${advice}.\n${wrong.join('\n')}`)
