import { UnrecoverableError } from 'bullmq'
import type { App } from '../../app.ts'
import type { UndoJob } from '../../control/job-queues.ts'
import { type UndoData, type UndoResult, undoData } from '../../control/undo/undo-job.ts'
import { type BlastRadius, readUndo, registerRadius, registerReversed } from '../../control/undo/undos.ts'
import { messageOf, OrdersError } from '../../errors.ts'
import { isDamage } from '../../reads/archive/records.ts'
import { countText } from '../../reads/count-text.ts'
import { cancelReplay } from '../../stages/invalid/cancel.ts'
import { readOutcome } from '../../stages/invalid/outcome.ts'
import { sumBy } from '../../sums.ts'
import { jobIdOf, judged } from '../jobs/outcome.ts'
import { type ArchivedOrder, type Collected, collectUndone, collectWindow } from './collect.ts'
import { withoutErased } from './erased.ts'
import { type ArchiveReader, openArchiveReader } from './open-archive.ts'
import { radiusOf, sumsOf } from './radius.ts'
import { requireCounted } from './require-counted.ts'
import { sendReversals } from './send.ts'
import { type Place, placesOf } from './standing.ts'

/** The work of one job. */
interface Reversing {
  readonly app: App
  readonly job: UndoJob
  readonly data: UndoData
  readonly archive: ArchiveReader
  readonly signal: AbortSignal
}

/**
 * Takes the orders of a window back, or puts them back. Can be killed at any point, and run twice: what the ledger says of an
 * order decides whether it is sent, and whether it counts.
 * @throws UnrecoverableError where another attempt would not help
 */
export async function undo(app: App, job: UndoJob, signal: AbortSignal): Promise<UndoResult> {
  const data = undoData.parse(job.data)
  jobIdOf(job)
  try {
    using archive = await openArchiveReader(app)
    const reversing = { app, job, data, archive, signal }
    const result = await (data.dryRun ? preview(reversing) : reverseAll(reversing))
    const { orders, left, cancelled = false } = result
    app.telemetry.emit('reversed', { job: job.id ?? '', redo: data.redo, dryRun: data.dryRun, cancelled, orders, left })
    return result
  } catch (error) {
    throw isFinal(error, data) ? new UnrecoverableError(messageOf(error)) : error
  }
}

/** Returns whether another attempt would not help. A dry run does not wait until the archive is back: its caller does. */
function isFinal(error: unknown, { dryRun }: UndoData): boolean {
  if (!(error instanceof OrdersError)) return false
  return error.code === 'ORD_UNDO' || isDamage(error) || (dryRun && error.code === 'ORD_ARCHIVE')
}

/** Finds out what an undo would change. Changes nothing. */
async function preview(reversing: Reversing): Promise<UndoResult> {
  const { data } = reversing
  const found = await look(reversing)
  const radius = await radiusIn(reversing, found)
  const { orders, users, revenue } = radius
  return { name: data.name, redo: data.redo, dry_run: true, orders, users, revenue, left: 0, radius }
}

/** Orders that are sent and judged before the next ones: they wait in Redis meanwhile. */
const chunkSize = 1_000
/**
 * A correction that came after an order was read changes what must be taken back, so the order is read again. After so many
 * looks that found as many left as the one before, the archive lacks something.
 */
const maxStuck = 3

/** Sends what is left until nothing is. A failover can lose what Redis has replied to, and corrections come meanwhile. */
async function reverseAll(reversing: Reversing): Promise<UndoResult> {
  const { app, job, data, signal } = reversing
  const jobId = jobIdOf(job)
  for (const id of data.after ?? []) await judged(app, { id, updateProgress: async () => {} }, signal)
  for (let before = -1, stuck = 0; ; ) {
    await requireNotRedone(reversing)
    await judged(app, job, signal) // what an earlier attempt has sent
    const found = await look(reversing)
    if (!data.redo && found.done.length === 0) await registerRadius(app, data.name, await radiusIn(reversing, found))
    const { left } = found
    const { cancelled } = await readOutcome(app.redis, app.partitions, jobId)
    stuck = left.length === before ? stuck + 1 : 0
    if (cancelled || left.length === 0 || stuck === maxStuck) return ended(reversing, found, cancelled)
    before = left.length
    for (let from = 0; from < left.length; from += chunkSize) {
      signal.throwIfAborted()
      await requireNotRedone(reversing)
      const some = left.slice(from, from + chunkSize)
      if (!(await sendReversals(app, some, { name: data.name, jobId, redo: data.redo }))) break
      await judged(app, job, signal, found.done.length + left.length)
    }
  }
}

/**
 * A job of the undo may be retried by hand after its redo was asked for. The orders that it took before are safe, as the ledger
 * knows that this undo has had them; it must not take others.
 */
async function requireNotRedone({ app, data: { name, redo } }: Reversing): Promise<void> {
  if (redo || !(await readUndo(app, name))?.redo) return
  throw new OrdersError(
    'ORD_UNDO',
    `A redo of the undo ${JSON.stringify(name)} was asked for: it takes no more orders.`,
  )
}

async function ended(reversing: Reversing, found: Found, cancelled: boolean): Promise<UndoResult> {
  const { app, job, data } = reversing
  if (cancelled) await cancelReplay(app, jobIdOf(job)) // no other process that believes to have this job sends more
  const { left, reason } = await leftIn(reversing, found)
  const result = { ...sumsOf(app, found.done, data.redo ? 1 : -1), left }
  // A redo that has not found all is not closed: another one goes on.
  if (!cancelled && !(data.redo && left > 0)) {
    const at = app.now().toISOString()
    await registerReversed(app, data.redo ? 'redone' : 'undone', data.name, { at, ...result })
  }
  return {
    ...{ name: data.name, redo: data.redo, dry_run: false, ...(cancelled && { cancelled }), ...result },
    ...(reason !== undefined && !cancelled && { left_reason: reason }),
    radius: null,
  }
}

/**
 * Counts the orders that are not as they should be. A redo counts also those of which the ledger or the archive knows nothing
 * any more. Orders of erased users, and those that another undo has taken since, are not among them.
 */
async function leftIn({ app, data }: Reversing, found: Found): Promise<{ left: number; reason?: string }> {
  const undone = data.redo ? (await readUndo(app, data.name))?.undone?.orders : undefined
  const counts = [
    [found.left.length, 'the archive says otherwise of'],
    [data.redo ? found.count('forgotten') : 0, 'the ledger has forgotten'],
    [Math.max(0, (undone ?? 0) - found.collected), 'the archive no longer has'],
  ] as const
  const left = sumBy(counts, ([count]) => count)
  if (left === 0) return { left }
  const reasons = counts.flatMap(([count, why]) => (count > 0 ? `${why} ${countText(count)}` : []))
  return { left, reason: `Not ${data.redo ? 'put' : 'taken'} back: ${countText(left)}. Of them ${reasons.join(', ')}.` }
}

/** The orders of an undo or a redo, by what is to do with them. */
interface Found {
  readonly left: readonly ArchivedOrder[]
  readonly done: readonly ArchivedOrder[]
  readonly count: (place: Place) => number
  /** Orders that the archive has, of whatever place. */
  readonly collected: number
  /** Orders that are left out, as their user was erased. */
  readonly erased: number
  readonly otherCorrections: number
  readonly admittedAgain: number
}

async function look({ app, data, archive, signal }: Reversing): Promise<Found> {
  await archive.flush(signal)
  const { name, redo, fromMs } = data
  const collected: Collected = redo
    ? await collectUndone(archive, fromMs, name, signal)
    : await collectWindow(archive, data, name, signal)
  const { otherCorrections, admittedAgain } = collected
  const orders = await withoutErased(app, collected.orders)
  const places = await placesOf(app, orders, name)
  const [toDo, doneAt] = redo ? (['undone', 'stands'] as const) : (['stands', 'undone'] as const)
  const at = (place: Place): ArchivedOrder[] => orders.filter((_, index) => places[index] === place)
  const left = at(toDo).filter(({ parts }) => parts.length > 0)
  if (!redo) await requireCounted(app, left)
  return {
    left,
    done: at(doneAt),
    count: (place) => at(place).length,
    collected: collected.orders.length,
    erased: collected.orders.length - orders.length,
    otherCorrections,
    admittedAgain,
  }
}

async function radiusIn({ app, archive, data }: Reversing, found: Found): Promise<BlastRadius> {
  const { left, count, erased, otherCorrections, admittedAgain } = found
  return {
    ...(await radiusOf(app, left)),
    erased,
    forgotten: count('forgotten'),
    undone_before: count('elsewhere'),
    admitted_again: admittedAgain,
    other_corrections: otherCorrections,
    ...(await archive.coverage(data)),
  }
}
