import { randomUUID } from 'node:crypto'
import type { App } from '../../app.ts'
import { replayName, reprocessName } from '../../control/job-name.ts'
import { newJobId, type Queues, type ReplayData, type ReprocessData } from '../../control/job-queues.ts'
import { type InvalidEntry, readInvalidEntry } from './entry.ts'
import { countInvalid, newestInvalidId } from './oldest.ts'
import { discardEntry, type Edit } from './requeue.ts'

/*
 * The actions of an operator on invalid orders, by the API or at a terminal.
 */

/** An id in the invalid channel. */
export const entryIdPattern = /^\d{1,16}-\d{1,16}$/

type Scope = Pick<App, 'redis' | 'partitions'>

/** Why an action on an invalid order is refused. */
export const refusals = {
  gone: 'There is no such entry. It was replayed or discarded.',
  /** The ledger would take another body for a duplicate or a conflict, so the admitted order would never be counted. */
  admitted:
    'This order was admitted before a later stage rejected it, so it cannot be changed: replay it as it is, or discard it and send the corrected order with a new order_id.',
} as const

export interface Refused {
  readonly refused: keyof typeof refusals
  readonly reason: string
}

export const refusedBy = (refused: keyof typeof refusals): Refused => ({ refused, reason: refusals[refused] })

/** Reads an invalid order that may be corrected, or says why it may not. */
export async function readCorrectable({ redis, partitions }: Scope, id: string): Promise<InvalidEntry | Refused> {
  const entry = await readInvalidEntry(redis, partitions, id)
  if (!entry) return refusedBy('gone')
  return entry.record.stage === undefined ? entry : refusedBy('admitted')
}

/** A job that is not yet added, and sends a corrected order in place of an invalid one. */
export interface PlannedCorrection {
  readonly jobId: string
  readonly name: string
  readonly data: ReprocessData
}

/** Plans the correction of an invalid order, or says why it may not be corrected. */
export async function planCorrection(
  scope: Pick<App, 'redis' | 'partitions' | 'format'>,
  id: string,
  { body, by }: Edit,
): Promise<PlannedCorrection | Refused> {
  const entry = await readCorrectable(scope, id)
  if ('refused' in entry) return entry
  const data = { body, edit: { invalidId: id, by } }
  return { jobId: newJobId('reprocess', randomUUID()), name: reprocessName(data, scope.format, by), data }
}

export async function addCorrection(queues: Queues, { jobId, name, data }: PlannedCorrection): Promise<void> {
  await queues.reprocess.add(name, data, { jobId })
}

/** A replay that is not yet added: its job, and how many orders match now. */
export interface PlannedReplay {
  readonly jobId: string
  readonly data: ReplayData
  readonly matching: number
}

/** Plans a replay of the orders that are invalid now. */
export async function planReplay(
  { redis, partitions }: Scope,
  options: Omit<ReplayData, 'until'>,
): Promise<PlannedReplay> {
  const data = { ...options, until: await newestInvalidId(redis, partitions) }
  const matching = await countMatching({ redis, partitions }, data)
  return { jobId: newJobId('replay', randomUUID()), data, matching }
}

/** @param by the operator, for the name of the job */
export async function addReplay(queues: Queues, { jobId, data }: PlannedReplay, by: string): Promise<void> {
  await queues.replay.add(replayName(data, by), data, { jobId })
}

/** Counts the invalid orders that a replay would take if it had no limit. Of ids it counts those that are given. */
export async function countMatching({ redis, partitions }: Scope, { ids, code, until }: ReplayData): Promise<number> {
  return ids ? new Set(ids).size : countInvalid(redis, partitions, { code, until })
}

/** Discards an invalid order. Returns false if it is already gone. */
export async function discardInvalid(app: App, id: string, why: { reason: string; by: string }): Promise<boolean> {
  const entry = await readInvalidEntry(app.redis, app.partitions, id)
  return entry !== undefined && discardEntry(app, entry, why)
}
