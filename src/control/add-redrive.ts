import { randomUUID } from 'node:crypto'
import { redriveName } from './job-name.ts'
import { newJobId, type Queues, type RedriveData } from './job-queues.ts'

/** The most messages of one redrive. */
export const maxRedriven = 1_000_000
/** The highest rate that a redrive can be given, in messages a second. */
export const maxRedriveRate = 10_000

export const newRedriveId = (): string => newJobId('redrive', randomUUID())

/**
 * Adds a redrive of the dead-letter queue. One that has this id already is kept.
 * @param by the operator, for the name of the job
 */
export async function addRedrive(queues: Queues, jobId: string, data: RedriveData, by: string): Promise<void> {
  await queues.redrive.add(redriveName(data, by), data, { jobId })
}
