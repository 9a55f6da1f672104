import { jobOf, jobReply } from '../../../api/replies/job.ts'
import type { App } from '../../../app.ts'
import { type FoundJob, kindOf, listJobs, openQueues, type Queues, readJob } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { OrdersError } from '../../../errors.ts'
import { countText } from '../../../reads/count-text.ts'
import { noJobText } from '../../../stages/invalid/cancel.ts'
import { actionOf } from '../../action.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { cancelAudited } from '../../process/cancel-audited.ts'
import { cancelledLines, jobRows, resultLines, shownState } from '../../terminal/jobs/job-text.ts'
import { undoLines } from '../../terminal/jobs/undo-text.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { timeText } from '../../terminal/times.ts'
import { wrapped } from '../../terminal/wrapped.ts'

const name = 'jobs'
const words = '[list | show <id> | cancel <id>]'

export const command = defineCommand({
  name,
  words,
  about:
    'Lists the jobs that requeue orders, newest first, shows one, or cancels one. A cancelled replay or redrive sends no more orders; those that it has sent stay sent.',
  examples: ['jobs', 'jobs --limit 100 --json'],
  page: 'docs/how-to/replay-and-correct.md',
  options: {
    limit: wholeNumber('maximum number of jobs', 20, { min: 1, max: 1_000 }),
    json: flag('as JSON, one job a line, as GET /jobs/{id} replies'),
  },
  run: async ({ config, options: { limit, json }, words: given, print }) => {
    const { action, argument: id } = actionOf({ name, words }, given)
    await using app = await openCommandApp(config)
    await using queues = openQueues(app.redis)
    if (action === 'cancel') return print(await cancel(app, queues, id, json))
    const found = action === 'show' ? [await existing(queues, id)] : await listJobs(queues, limit)
    if (json) {
      for (const one of found) print(jsonLine(jobReply.parse(await jobOf(app, one.job.id ?? '', one))))
    } else if (action === 'show') for (const one of found) print(await jobLines(app, one))
    else print(found.length === 0 ? 'There is no job.' : jobRows(found, app.now()))
  },
})

async function existing(queues: Queues, id: string): Promise<FoundJob> {
  const found = await readJob(queues, id)
  if (!found) throw new OrdersError('ORD_JOB', wrapped(noJobText(id)).join('\n'))
  return found
}

async function jobLines(app: App, found: FoundJob): Promise<string[]> {
  const { job } = found
  const { id, attempts, progress, verdict, result, failure, warning } = jobReply.parse(
    await jobOf(app, job.id ?? '', found),
  )
  const outcome = verdict ?? (result && 'verdict' in result ? result : null)
  const facts = [
    ['job', id],
    ['kind', kindOf(job)],
    ['state', shownState(found)],
    ['created', timeText(new Date(job.timestamp).toISOString(), app.now())],
    ['attempts', countText(attempts)],
    ...(progress ? [['progress', `${countText(progress.done)} of ${countText(progress.total)}`]] : []),
    ...(outcome ? [['verdict', outcome.verdict]] : []),
    ...(outcome?.invalid_id === undefined ? [] : [['invalid as', outcome.invalid_id]]),
  ]
  const sentences = [outcome?.reason, outcome?.hint, failure, warning].filter((text) => typeof text === 'string')
  const width = 10
  return [
    ...facts.map(([label = '', value = '']) => `${label.padEnd(width)}  ${value}`),
    ...(result && 'redo' in result ? undoLines(result, app.format) : []),
    ...(result && 'sent' in result ? resultLines(result, job.queueName === 'redrive' ? 'dlq' : 'invalid') : []),
    ...sentences.flatMap((text) => wrapped(text)),
  ]
}

async function cancel(app: App, queues: Queues, id: string, json: boolean): Promise<string[]> {
  const done = await cancelAudited(app, queues, id)
  const sent = done.result === 'removed' ? 0 : done.sent
  if (json) return [jsonLine({ status: done.result, id, sent })]
  // It is cancelled all the same.
  const warning = done.result === 'removed' ? undefined : await jobsWarning(app.redis).catch(() => undefined)
  return [...cancelledLines(id, done), ...(warning === undefined ? [] : wrapped(warning))]
}
