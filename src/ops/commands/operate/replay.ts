import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { audited } from '../../../control/audit-log.ts'
import {
  newJobId,
  openQueues,
  progress,
  type Queues,
  type ReplayResult,
  readJob,
  replayResult,
} from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { OrdersError } from '../../../errors.ts'
import { rejectCodes } from '../../../messages.ts'
import { countInvalid, newestId } from '../../../stages/invalid/page.ts'
import { defineCommand, flag, optionalNumber } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { openApp } from '../../open/open-app.ts'
import { progressOn } from '../../terminal/progress.ts'
import { operatingUser } from '../inspect/audit.ts'
import { table } from '../inspect/status.ts'

const mostReplayed = 1_000_000
/** As many as the script of the Python system replays. */
const defaultLimit = 10

export const replayCommand = defineCommand({
  name: 'replay',
  words: '[limit]',
  about: `Sends the oldest ${defaultLimit} orders that were not accepted, or as many as the limit says, through the pipeline again. Exit code 1 if any is not accepted again.`,
  options: {
    limit: optionalNumber(`how many at most (default ${defaultLimit})`, { min: 1, max: mostReplayed }),
    code: {
      hint: 'CODE',
      about: `only of this code: ${rejectCodes.join(', ')}`,
      expected: `one of ${rejectCodes.join(', ')}`,
      schema: z.enum(rejectCodes).optional(),
    },
    'dry-run': flag('changes nothing, only says what would pass the rules'),
    wait: flag('waits for the result (on a terminal and with --dry-run it always does)'),
  },
  run: async ({ config, options, words, signal, print }) => {
    const limit = limitOf(words, options.limit)
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    await using queues = openQueues(app.redis)
    const until = await newestId(app.redis, app.partitions)
    const found = await countInvalid(app.redis, app.partitions, { code: options.code, until })
    const total = Math.min(limit, found)
    const jobId = newJobId('replay', randomUUID())
    const data = { limit, code: options.code, dryRun: options['dry-run'], until }
    const action = { action: 'orders replay', by: operatingUser(), what: JSON.stringify({ ...data, job: jobId }) }
    await audited(app, action, () => queues.replay.add('replay', data, { jobId }))
    print(`Job ${jobId}: ${total.toLocaleString('en')} orders to ${options['dry-run'] ? 'judge' : 'replay'}.`)
    if (found > total) print(`The limit leaves ${found - total} where they are: a limit of ${found} takes all.`)
    const warning = await jobsWarning(app.redis)
    if (warning !== undefined) print(warning)
    if (warning !== undefined && options['dry-run'] && !options.wait && !process.stdout.isTTY) {
      process.exitCode = 1 // a script would wait for a process that nobody may start
      return
    }
    if (!options.wait && !options['dry-run'] && !process.stdout.isTTY) {
      return print(`--wait shows what becomes of them, and so does GET /jobs/${jobId}.`)
    }
    const result = await resultOf(queues, jobId, total, signal)
    for (const line of resultLines(result)) print(line)
    if (!result.dry_run && failedAgain(result) > 0) process.exitCode = 1
  },
})

/** `npm run replay -- 10`, as in the Python system. */
function limitOf([word, ...more]: readonly string[], option: number | undefined): number {
  if (word === undefined) return option ?? defaultLimit
  if (option !== undefined) {
    throw new OrdersError('ORD_USAGE', `orders replay: the limit is given twice, as ${word} and by --limit: give one.`)
  }
  const limit = /^\d{1,7}$/.test(word) ? Number(word) : 0
  if (limit >= 1 && limit <= mostReplayed && more.length === 0) return limit
  throw new OrdersError(
    'ORD_USAGE',
    `orders replay: the limit is "${[word, ...more].join(' ')}", expected a whole number from 1 to ${mostReplayed}.`,
  )
}

const pollMs = 100

/** @throws OrdersError ORD_JOB when the job failed for good. */
async function resultOf(queues: Queues, id: string, total: number, signal: AbortSignal): Promise<ReplayResult> {
  const bar = progressOn(process.stdout, 'judged', total)
  for (;;) {
    const found = await readJob(queues, id)
    const { done = 0 } = progress.safeParse(found?.job.progress).data ?? {}
    bar.show(found?.state === 'completed' ? total : Math.min(done, total))
    if (found?.state === 'completed') {
      bar.end()
      return replayResult.parse(found.job.returnvalue)
    }
    if (!found || found.state === 'failed') {
      const why = found?.job.failedReason ?? 'it was removed'
      throw new OrdersError('ORD_JOB', `The replay failed (${why}): retry it in /admin/queues.`)
    }
    await sleep(pollMs, undefined, { signal })
  }
}

function resultLines({ dry_run, sent, admitted, duplicate, conflict, returned, rejected }: ReplayResult): string[] {
  const number = (count: number): string => count.toLocaleString('en')
  const codes = Object.entries(rejected).map(([code, count]) => [`  ${code}`, number(count)])
  if (dry_run) return ['Dry run, nothing was sent.', ...table([['would keep the rules', number(admitted)], ...codes])]
  return table([
    ['sent', number(sent)],
    ['admitted', number(admitted)],
    ['duplicate', number(duplicate)],
    ['conflict', number(conflict)],
    ...(returned > 0 ? [['returned to their stage', number(returned)]] : []),
    ...codes,
  ])
}

function failedAgain({ conflict, rejected }: ReplayResult): number {
  return Object.values(rejected).reduce((sum, count) => sum + count, conflict)
}
