import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { openQueues, type Queues } from '../../control/job-queues.ts'
import type { Lock } from '../../control/lock.ts'
import { openDurable } from '../../ingest/proof/durable.ts'
import { makeControlKeys, makePartitions } from '../../keys.ts'
import type { Sum } from '../../order/money.ts'
import { countText } from '../../reads/count-text.ts'
import { isAway } from '../../redis/errors.ts'
import { dropShadows } from '../../stages/erasure/drop-shadows.ts'
import { endChains, requireClosable } from '../archive/close-chains.ts'
import { noticedMs } from '../manifest/check.ts'
import { forgetRepartition, type Repartition, switchOver, writeRepartition } from '../manifest/repartition.ts'
import { bare } from '../manifest/settings.ts'
import { operatingUser } from '../process/operating-user.ts'
import { clearOld } from './clear.ts'
import type { Move } from './move.ts'
import { moveMonths, sumCalendarBooks, sumDays, writeCalendar } from './move-calendar.ts'
import { moveErased } from './move-erased.ts'
import { buildInvalid, lengthsOf, swapInvalid } from './move-invalid.ts'
import { moveLedger, writeLedgerCounts } from './move-ledger.ts'
import { moveOutcomes } from './move-outcomes.ts'
import { moveUsers, sumUsers } from './move-users.ts'
import { differences, quiesce, reasonOf, resume, unbalanced, undo } from './quiesce.ts'
import { writeBooks, writeMissedBefore } from './write-books.ts'

export interface Run {
  readonly app: App
  readonly queues: Queues
  readonly timeoutMs: number
  /** Ends the repartition although the books do not balance. */
  readonly force: boolean
  readonly lock: Lock
  print(line: string): void
}

/**
 * Repartitions from the phase that `begun` is in. Each phase can be repeated, and is written down once everything before it
 * is durable: killed at any moment, the next run continues here.
 */
export async function repartition(run: Run, begun: Repartition, signal: AbortSignal): Promise<void> {
  const progress = openProgress(run, begun, signal)
  using durability = await openDurable(progress.after, signal)
  progress.move = { ...progress.move, durable: durability.confirm }
  if (begun.phase === 'drain') await enter(progress, { phase: 'drain' })
  for (;;) {
    const { phase } = progress.state
    if (phase === 'resume') break
    const next = await phases[phase](progress, signal)
    if (next.phase === 'resume') break // the switch has written it
    if (phase !== 'drain') await durability.confirm()
    await enter(progress, next)
  }
  await sleep(noticedMs) // until no process works by the old partitions
  await finish(progress.after, run.queues, progress.state).catch((error: unknown) => {
    if (!isAway(error)) throw error // of `orders start`, Redis has ended with the processes
  })
}

/** A run, the phase that it is in, and what its phases share. */
interface Progress extends Run {
  readonly before: App
  readonly after: App
  state: Repartition
  move: Move
  alive(): Promise<void>
}

/** The phase to enter, and what is written down with it. */
type Next = Partial<Repartition> & Pick<Repartition, 'phase'>

function openProgress(run: Run, state: Repartition, signal: AbortSignal): Progress {
  const { app, lock } = run
  const [before, after] = [partitioned(app, state.from), partitioned(app, state.to)]
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock.require()
    app.telemetry.emit('repartitionStep', { phase: progress.state.phase })
  }
  const { redis, config, format, pipeline } = app
  const [from, to] = [before.partitions, after.partitions]
  const move = { redis, config, format, pipeline, from, to, alive, durable: async () => {} }
  const progress: Progress = { ...run, before, after, state, move, alive }
  return progress
}

async function enter(progress: Progress, next: Next): Promise<void> {
  await progress.alive()
  progress.state = { ...progress.state, ...next }
  await writeRepartition(progress.app.redis, progress.state)
}

const phases: Readonly<
  Record<Exclude<Repartition['phase'], 'resume'>, (progress: Progress, signal: AbortSignal) => Promise<Next>>
> = { drain, move, swap, count, verify }

async function drain(progress: Progress, signal: AbortSignal): Promise<Next> {
  const noteQueues = (more: string[]): Promise<void> =>
    enter(progress, { phase: 'drain', queues: [...new Set([...progress.state.queues, ...more])] })
  const halt = { ...progress, noteQueues, reason: reasonOf(progress.state) }
  const halted = requireClosable(progress.before, signal).then(() => quiesce(halt, signal))
  const found = await halted.catch(async (error: unknown) => {
    await progress.lock.require() // another process may continue from here
    await undo({ ...halt, state: progress.state })
    throw error
  })
  return { phase: 'move', ...found }
}

async function move({ move, state, before, after, app, alive, print }: Progress): Promise<Next> {
  await endChains(before)
  await dropShadows(before, alive)
  const untilNothingMoves = async (what: string, pass: () => Promise<number>): Promise<void> => {
    let moved = 0
    // SCAN yields all keys only if nothing happens to its server meanwhile.
    for (let more = await pass(); more > 0; more = await pass()) moved += more
    print(`${what}: ${countText(moved)} moved.`)
  }
  const [days, calendar] = [await sumDays(move), await sumCalendarBooks(move)]
  await moveErased(move)
  await untilNothingMoves('Users', () => moveUsers(move))
  await untilNothingMoves('Months of users', () => moveMonths(move))
  await untilNothingMoves('Parts of the ledger', () => moveLedger(move))
  await untilNothingMoves('Outcomes of jobs', () => moveOutcomes(move, state.id))
  await buildInvalid(move)
  const lacking = unlike(state, await lengthsOf(app.redis, after.partitions, true))
  if (lacking.length > 0) throw unbalanced('Not every invalid order was copied: run this again.', lacking)
  return { phase: 'swap', days, calendar }
}

async function swap({ move }: Progress): Promise<Next> {
  await swapInvalid(move)
  return { phase: 'count' }
}

async function count({ move, state, after }: Progress): Promise<Next> {
  const sums: Sum[] = []
  for (const keys of after.partitions) sums.push(await sumUsers(move, keys))
  await writeBooks(move, state.totals ?? {}, sums)
  await writeMissedBefore(move, state.missedBefore ?? {})
  await writeLedgerCounts(move, state.ledgerCounts ?? {})
  await writeCalendar(move, state.days ?? {}, state.calendar ?? {})
  return { phase: 'verify' }
}

async function verify(progress: Progress, signal: AbortSignal): Promise<Next> {
  const { move, state, after, app, alive, force, print } = progress
  const lengths = unlike(state, await lengthsOf(app.redis, after.partitions))
  const wrong = [...(await differences(after, state.totals ?? {}, signal)), ...lengths]
  if (wrong.length > 0 && !force)
    throw unbalanced(
      'Everything is copied, but the books do not balance: run this again with --force to end the move, then orders verify --deep --repair.',
      wrong,
    )
  await clearOld(move)
  await alive()
  const what = JSON.stringify({ from: state.from, to: state.to, differences: wrong })
  const action = { action: 'repartition', by: operatingUser(), what }
  await audited(after, action, () => switchOver(app.redis, state))
  const balance = wrong.length === 0
  print(
    `Everything is moved, ${balance ? 'and the books balance.' : 'but the books do not balance: see orders verify.'}`,
  )
  return { phase: 'resume' }
}

/** Says in a sentence if there are not as many rejected and discarded orders as before. */
function unlike({ invalid, discarded }: Repartition, found: { invalid: number; discarded: number }): string[] {
  if (found.invalid === invalid && found.discarded === discarded) return []
  return [
    `${found.invalid} rejected and ${found.discarded} discarded orders are moved, of ${invalid} and ${discarded}.`,
  ]
}

function partitioned<A extends App>(app: A, count: number | typeof bare): A {
  const partitions = makePartitions(count === bare ? undefined : count)
  return { ...app, partitions, control: makeControlKeys(partitions) }
}

/** Resumes what the repartition has paused; the new partitions are in force. */
async function finish(app: App, queues: Queues, state: Repartition): Promise<void> {
  await resume(app, queues, state)
  await forgetRepartition(app.redis)
}

/** Finishes a repartition that was killed after its switch, in a process that only starts. */
export async function finishRepartition(app: App, state: Repartition): Promise<void> {
  await using queues = openQueues(app.redis)
  await finish(app, queues, state)
}

/** Undoes a repartition that has moved nothing yet. */
export async function undoRepartition({ app, queues }: Run, state: Repartition): Promise<void> {
  const [before, after] = [partitioned(app, state.from), partitioned(app, state.to)]
  await undo({ before, after, queues, state })
}
