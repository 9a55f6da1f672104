import { type FoundJob, kindOf, progressSchema, type ReplayResult, wasCancelled } from '../../control/job-queues.ts'
import { countText } from '../../reads/count-text.ts'
import { ageText } from './numbers.ts'
import { table } from './table.ts'

/** Returns one line for each job: at 80 columns its long id leaves room for short words. */
export function jobRows(jobs: readonly FoundJob[], now: Date): string[] {
  const rows = jobs.map(({ job, state }) => [
    job.id ?? '',
    shownState({ job, state }),
    kindOf(job),
    ageText(now.getTime() - job.timestamp),
    percent(job.progress),
  ])
  return table([['job', 'state', 'kind', 'age', 'done'], ...rows])
}

export function shownState(found: FoundJob): string {
  if (found.state === 'prioritized') return 'waiting'
  return wasCancelled(found) ? 'cancelled' : found.state
}

function percent(progress: unknown): string {
  const { data } = progressSchema.safeParse(progress)
  if (!data) return '-'
  return `${data.total === 0 ? 100 : Math.min(100, Math.floor((data.done / data.total) * 100))} %`
}

export function resultLines(result: ReplayResult): string[] {
  const { dry_run, cancelled, sent, admitted, duplicate, conflict, returned, rejected } = result
  const codes = Object.entries(rejected).map(([code, count]) => [`  ${code}`, countText(count)])
  if (dry_run) {
    const ofStages = returned > 0 ? [['would pass their stage', countText(returned)]] : []
    return [
      `Dry run, nothing was sent.${cancelled ? ' It was cancelled before its end.' : ''}`,
      ...table([['would keep the rules', countText(admitted)], ...ofStages, ...codes]),
    ]
  }
  return [
    ...(cancelled ? ['It was cancelled: the orders that it had not sent stay invalid.'] : []),
    ...table([
      ['sent', countText(sent)],
      ['admitted', countText(admitted)],
      ['duplicate', countText(duplicate)],
      ['conflict', countText(conflict)],
      ...(returned > 0 ? [['returned to their stage', countText(returned)]] : []),
      ...codes,
    ]),
  ]
}
