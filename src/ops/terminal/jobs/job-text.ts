import { type FoundJob, kindOf, progressSchema, type ReplayResult, wasCancelled } from '../../../control/job-queues.ts'
import { countText } from '../../../reads/count-text.ts'
import { sum } from '../../../sums.ts'
import type { Cancelled } from '../../process/cancel-audited.ts'
import { ageText } from '../numbers.ts'
import { table } from '../table.ts'
import { wrapped } from '../wrapped.ts'

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

/** @param from where the job takes its orders from, and leaves them after a dry run */
export function resultLines(result: ReplayResult, from: 'invalid' | 'dlq' = 'invalid'): string[] {
  const { dry_run, cancelled, sent, admitted, corrected = 0, duplicate, conflict, returned, rejected } = result
  const again = { ...(conflict > 0 && { conflict }), ...rejected }
  const codes = Object.entries(again).map(([code, count]) => [`  ${code}`, countText(count)])
  const all = countText(sum(Object.values(again)))
  if (dry_run) {
    const known = duplicate > 0 ? [['duplicate', countText(duplicate)]] : []
    const ofStages = returned > 0 ? [['would pass their stage', countText(returned)]] : []
    return [
      `Dry run, nothing was sent.${cancelled ? ' It was cancelled before its end.' : ''}`,
      ...table([
        ['would keep the rules', countText(admitted + corrected)],
        ...known,
        ...ofStages,
        ['would be rejected', all],
        ...codes,
      ]),
      ...(from === 'dlq' ? ['To look at them: orders dlq'] : whereTo(Object.keys(again))),
    ]
  }
  return [
    ...(cancelled ? ['It was cancelled: the orders that it had not sent stay where they were.'] : []),
    ...table([
      ['sent', countText(sent)],
      ['admitted', countText(admitted)],
      ...(corrected > 0 ? [['corrections', countText(corrected)]] : []),
      ['duplicate', countText(duplicate)],
      ...(returned > 0 ? [['returned to their stage', countText(returned)]] : []),
      ['rejected', all],
      ...codes,
    ]),
    ...whereTo(Object.keys(again)),
  ]
}

/** Says where to look at what was rejected. */
function whereTo(codes: readonly string[]): string[] {
  const [code] = codes
  if (code === undefined) return []
  return [`To look at them: orders invalid${codes.length === 1 ? ` --code ${code}` : ''}`]
}

export function cancelledLines(id: string, done: Cancelled): string[] {
  if (done.result === 'removed') return [`Job ${id} is removed.`, 'It has sent nothing.']
  const rest = wrapped(`It has sent ${countText(done.sent)} and sends no more. orders jobs show has its result.`)
  return [`Job ${id} stops.`, ...rest]
}

/** True if an order was rejected again, or if not all were judged. */
export function isIncomplete({ dry_run, cancelled, conflict, rejected }: ReplayResult): boolean {
  return cancelled === true || (!dry_run && conflict + sum(Object.values(rejected)) > 0)
}
