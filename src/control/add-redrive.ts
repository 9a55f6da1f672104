import { randomUUID } from 'node:crypto'
import type { App } from '../app.ts'
import { redriveName } from './job-name.ts'
import { newJobId, type Queues, type RedriveData } from './job-queues.ts'
import { jobsWarning } from './jobs-alive.ts'
import { readPauses } from './pauses.ts'

/** The most orders of one redrive. */
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

/** Returns a warning for the caller that added a redrive, if it waits: for a process, or until the bridge runs again. */
export async function redriveWarning(
  { redis, control }: Pick<App, 'redis' | 'control'>,
  { dryRun }: Pick<RedriveData, 'dryRun'>,
): Promise<string | undefined> {
  const warning = await jobsWarning(redis)
  if (warning !== undefined || dryRun) return warning
  const pause = (await readPauses(redis, control))['bridge']
  return pause && `The bridge is paused by ${pause.by}: the redrive waits until it runs again (orders resume bridge).`
}
