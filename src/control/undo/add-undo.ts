import { randomUUID } from 'node:crypto'
import type { App } from '../../app.ts'
import { undoName } from '../job-name.ts'
import { newJobId, type Queues } from '../job-queues.ts'
import { type AskedUndo, keptWhere, readUndo, registerRedo, registerUndo, type Undo, type UndoWhere } from './undos.ts'

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

const isSame = (one: Pick<Undo, 'from' | 'to' | 'where'>, other: AskedUndo): boolean =>
  JSON.stringify([one.from, one.to, one.where ?? {}]) === JSON.stringify([other.from, other.to, other.where ?? {}])

/** Registers the redo of an undo, and adds its job. @returns why it is refused, if it is */
export async function addRedo(
  app: Scope,
  queues: Queues,
  name: string,
  { by, jobId }: { readonly by: string; readonly jobId: string },
): Promise<Refused | undefined> {
  const known = await readUndo(app, name)
  if (!known) return { refused: `There is no undo ${JSON.stringify(name)}.`, isUnknown: true }
  if (known.state === 'undoing') return { refused: `The undo ${JSON.stringify(name)} has not ended: let it end first.` }
  if (known.state === 'redone')
    return { refused: `The undo ${JSON.stringify(name)} was redone at ${known.redone?.at}.` }
  await registerRedo(app, name, { by, at: nowOf(app), job_id: jobId })
  const data = { name, redo: true, dryRun: false, fromMs: Date.parse(known.at), toMs: app.now().getTime() }
  await queues.undo.add(undoName(data, by), data, { jobId })
  return undefined
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
const nowOf = ({ now }: Scope): string => now().toISOString()
