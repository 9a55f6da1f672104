import { randomUUID } from 'node:crypto'
import type { App } from '../../app.ts'
import { undoName } from '../job-name.ts'
import { newJobId, type Queues, type UndoJob } from '../job-queues.ts'
import {
  type AskedUndo,
  keptWhere,
  type Reversed,
  readUndo,
  registerRedo,
  registerUndo,
  type UndoWhere,
} from './undos.ts'

export const newUndoId = (): string => newJobId('undo', randomUUID())

export interface AskedWindow {
  readonly name: string
  readonly fromMs: number
  readonly toMs: number
  readonly where?: UndoWhere | undefined
  readonly dryRun: boolean
}

type Scope = Pick<App, 'redis' | 'control' | 'now'>

/** Says why an undo or a redo is refused. */
export interface Refused {
  readonly refused: string
  readonly isUnknown?: true
}

/**
 * Registers an undo, and adds its job. One that has not ended gets another job, which goes on: each order is taken back once.
 * A job that is in the queue already, as when a request is repeated, stays as it is.
 * @returns why it is refused, if it is: the name is taken
 */
export async function addUndo(
  app: Scope,
  queues: Queues,
  { name, fromMs, toMs, where, dryRun }: AskedWindow,
  { by, jobId }: { readonly by: string; readonly jobId: string },
): Promise<Refused | undefined> {
  if (where?.user !== undefined && hasWord(name, where.user)) {
    return { refused: 'The name of an undo stays when a user is erased: it must not have the user_id in it.' }
  }
  if (await queues.undo.getJob(jobId)) return undefined
  const done = dryRun ? undefined : await undoneBefore(app, { name, fromMs, toMs, where })
  if (done) return { refused: `The undo ${JSON.stringify(name)} was done at ${done.at}: there is nothing left to do.` }
  const kept = where && keptWhere(where)
  const data = { name, redo: false, dryRun, fromMs, toMs, ...(kept && { where: kept }) }
  if (!dryRun) {
    const asked: AskedUndo = {
      from: isoOf(fromMs),
      to: isoOf(toMs),
      ...(kept && { where: kept }),
      by,
      at: nowOf(app),
      job_id: jobId,
    }
    if (!(await registerUndo(app, name, asked))) {
      const known = await readUndo(app, name)
      if (known?.state !== 'undoing' || !isSame(known, asked)) {
        return { refused: `There is an undo ${JSON.stringify(name)} already: give this one another name.` }
      }
    }
  }
  await queues.undo.add(undoName(data, by), data, { jobId })
  return undefined
}

const hasWord = (text: string, word: string): boolean =>
  new RegExp(`(?<![\\p{L}\\p{N}_])${RegExp.escape(word)}(?![\\p{L}\\p{N}_])`, 'u').test(text)

/** Returns how an undo of the same name, window and filter has ended; undefined if there is none, or its orders are back. */
export async function undoneBefore(
  app: Scope,
  { name, fromMs, toMs, where }: Omit<AskedWindow, 'dryRun'>,
): Promise<({ readonly name: string } & Reversed) | undefined> {
  const known = await readUndo(app, name)
  if (known?.state !== 'undone' || !known.undone) return undefined
  const asked = { from: isoOf(fromMs), to: isoOf(toMs), where: where && keptWhere(where) }
  return isSame(known, asked) ? { name, ...known.undone } : undefined
}

type Filter = Pick<AskedUndo, 'from' | 'to' | 'where'>

const isSame = (one: Filter, other: Filter): boolean =>
  JSON.stringify([one.from, one.to, one.where ?? {}]) === JSON.stringify([other.from, other.to, other.where ?? {}])

/**
 * Registers the redo of an undo, and adds its job. An undo that was cancelled, or whose job is gone or has failed, has not
 * ended, and can be redone all the same.
 * @returns why it is refused, if it is
 */
export async function addRedo(
  app: Scope,
  queues: Queues,
  name: string,
  { by, jobId }: { readonly by: string; readonly jobId: string },
): Promise<Refused | undefined> {
  const known = await readUndo(app, name)
  if (!known) return { refused: `There is no undo ${JSON.stringify(name)}.`, isUnknown: true }
  if (await queues.undo.getJob(jobId)) return undefined
  if (known.state === 'redone')
    return { refused: `The undo ${JSON.stringify(name)} was redone at ${known.redone?.at}.` }
  if (known.state === 'undoing' && (await undoJobs(queues, name, aliveStates)).length > 0) {
    return { refused: `The undo ${JSON.stringify(name)} has not ended: let it end first, or cancel its job.` }
  }
  await registerRedo(app, name, { by, at: nowOf(app), job_id: jobId })
  const after = [...new Set([known.job_id, ...(await undoJobs(queues, name, endedStates))])]
  const [fromMs, toMs] = [known.from, known.to].map(Date.parse) as [number, number]
  const data = { name, redo: true, dryRun: false, fromMs, toMs, after }
  await queues.undo.add(undoName(data, by), data, { jobId })
  return undefined
}

const aliveStates = ['active', 'waiting', 'prioritized', 'delayed'] as const
const endedStates = ['completed', 'failed'] as const

/** Returns the ids of the jobs in some states that take back the orders of an undo. */
async function undoJobs(
  { undo }: Queues,
  name: string,
  states: typeof aliveStates | typeof endedStates,
): Promise<string[]> {
  const jobs: readonly (UndoJob | undefined)[] = await undo.getJobs([...states]) // undefined: removed meanwhile
  return jobs.flatMap((job) => {
    const isOwn = job?.data.name === name && !job.data.redo && !job.data.dryRun
    return isOwn && job.id !== undefined ? [job.id] : []
  })
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
const nowOf = ({ now }: Scope): string => now().toISOString()
