import { z } from 'zod'
import { actionAsked } from '../../../api/http/summary.ts'
import { audited } from '../../../control/audit-log.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { OrdersError } from '../../../errors.ts'
import { rejectCodes } from '../../../reject-codes.ts'
import { addReplay, planReplay } from '../../../stages/invalid/actions.ts'
import { defineCommand, flag, optionalNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { followJob } from '../../process/follow-job.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { progressOn } from '../../terminal/interactive/progress.ts'
import { isIncomplete, resultLines } from '../../terminal/jobs/job-text.ts'
import { ordersText } from '../../terminal/numbers.ts'

const maxReplayed = 1_000_000
/** The default of the Python system's script. */
const defaultLimit = 10

export const command = defineCommand({
  name: 'replay',
  words: '[limit]',
  about: `Sends the oldest ${defaultLimit} invalid orders, or as many as the limit, through the pipeline again. Exit code 1 if any is rejected again.`,
  examples: ['replay 100 --dry-run', 'replay --limit 100 --code bad-value --wait'],
  page: 'docs/how-to/replay-and-correct.md',
  options: {
    limit: optionalNumber(`maximum number of orders (default ${defaultLimit})`, { min: 1, max: maxReplayed }),
    code: {
      hint: 'CODE',
      about: `only of this code: ${rejectCodes.join(', ')}`,
      expected: `one of ${rejectCodes.join(', ')}`,
      schema: z.enum(rejectCodes).optional(),
    },
    'dry-run': flag(
      'changes nothing, only shows which orders would pass the rules, or the later stage that rejected them',
    ),
    wait: flag('waits for the result (always on a terminal and with --dry-run)'),
  },
  run: async ({ config, options, words, signal, print, stdout, fail }) => {
    const limit = limitOf(words, options.limit)
    await using app = await openCommandApp(config)
    await using queues = openQueues(app.redis)
    const planned = await planReplay(app, { limit, code: options.code, dryRun: options['dry-run'] })
    const { jobId, data, matching: found } = planned
    const total = Math.min(limit, found)
    const { limit: asked, code, dryRun } = data
    const body = { limit: asked, code, dry_run: dryRun || undefined }
    const action = {
      by: operatingUser(),
      ...actionAsked({ action: 'replay', where: { job: jobId }, body }, '', app.format),
    }
    await audited(app, action, () => addReplay(queues, planned, action.by))
    print(`Job ${jobId}: ${ordersText(total, '?')} to ${options['dry-run'] ? 'judge' : 'replay'}.`)
    if (found > total) print(`The limit leaves ${found - total} where they are: a limit of ${found} takes all.`)
    const warning = await jobsWarning(app.redis)
    if (warning !== undefined) print(warning)
    if (warning !== undefined && options['dry-run'] && !options.wait && !stdout.isTTY) {
      fail() // a script would wait for a process that may never start
      return
    }
    if (!options.wait && !options['dry-run'] && !stdout.isTTY) {
      return print(`--wait shows what becomes of them, and so does orders jobs show ${jobId}.`)
    }
    const result = await followJob(app, queues, jobId, { progress: progressOn(stdout, 'judged', total), total, signal })
    for (const line of resultLines(result)) print(line)
    if (isIncomplete(result)) fail()
  },
})

/** Accepts the limit as a word too: `npm run replay -- 10`, as in the Python system. */
function limitOf([word, ...more]: readonly string[], option: number | undefined): number {
  if (word === undefined) return option ?? defaultLimit
  if (option !== undefined) {
    throw new OrdersError('ORD_USAGE', `orders replay: the limit is given twice, as ${word} and by --limit: give one.`)
  }
  const limit = /^\d{1,7}$/.test(word) ? Number(word) : 0
  if (limit >= 1 && limit <= maxReplayed && more.length === 0) return limit
  throw new OrdersError(
    'ORD_USAGE',
    `orders replay: the limit is "${[word, ...more].join(' ')}", expected a whole number from 1 to ${maxReplayed}.`,
  )
}
