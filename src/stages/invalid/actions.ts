import { randomUUID } from 'node:crypto'
import type { App } from '../../app.ts'
import { replayName, reprocessName } from '../../control/job-name.ts'
import { newJobId, type Queues, type ReplayData } from '../../control/job-queues.ts'
import { type InvalidEntry, readInvalidEntry } from './entry.ts'
import { countInvalid, newestInvalidId } from './oldest.ts'
import { discardEntry, type Edit } from './requeue.ts'

/*
 * The actions of an operator on invalid orders, by the API or at a terminal.
 */

/** An id in the invalid channel. */
export const entryIdPattern = /^\d{1,16}-\d{1,16}$/

type Scope = Pick<App, 'redis' | 'partitions'>

export interface Refused {
  readonly status: 404 | 409
  readonly reason: string
}

/** Why an action on an invalid order is refused, by HTTP status. */
export const refusals = {
  404: 'There is no such entry. It was replayed or discarded.',
  /** The ledger would take another body for a duplicate or a conflict, so the admitted order would never be counted. */
  409: 'This order was admitted before a later stage rejected it, so it cannot be changed: replay it as it is, or discard it and send the corrected order with a new order_id.',
} as const

export const refusedBy = (status: 404 | 409): Refused => ({ status, reason: refusals[status] })

/** Reads an invalid order that may be corrected, or says why it may not. */
export async function readCorrectable({ redis, partitions }: Scope, id: string): Promise<InvalidEntry | Refused> {
  const entry = await readInvalidEntry(redis, partitions, id)
  if (!entry) return refusedBy(404)
  return entry.record.stage === undefined ? entry : refusedBy(409)
}

/** Adds the job that sends a corrected order in place of an invalid one. */
export async function queueCorrection(
  scope: Scope,
  queues: Queues,
  id: string,
  { body, by }: Edit,
): Promise<{ readonly jobId: string } | Refused> {
  const entry = await readCorrectable(scope, id)
  if ('status' in entry) return entry
  const jobId = newJobId('reprocess', randomUUID())
  const data = { body, edit: { invalidId: id, by } }
  await queues.reprocess.add(reprocessName(data, by), data, { jobId })
  return { jobId }
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
