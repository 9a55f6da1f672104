import { z } from 'zod'
import { actionAsked } from '../../../api/http/summary.ts'
import { addRedrive, maxRedriven, maxRedriveRate, newRedriveId, redriveWarning } from '../../../control/add-redrive.ts'
import { audited } from '../../../control/audit-log.ts'
import { openQueues } from '../../../control/job-queues.ts'
import { openDeadLetters } from '../../../ingest/dead-letters/open.ts'
import { countText } from '../../../reads/count-text.ts'
import { type DeadLetter, judgeDeadLetters } from '../../../reads/dead-letters/dead-letters.ts'
import { actionOf } from '../../action.ts'
import { type Call, defineCommand, flag, optionalNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { followJob } from '../../process/follow-job.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { progressOn } from '../../terminal/interactive/progress.ts'
import { deadLetterJson, deadLetterLines } from '../../terminal/jobs/dead-letters-text.ts'
import { isIncomplete, resultLines } from '../../terminal/jobs/job-text.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { wrapped } from '../../terminal/wrapped.ts'

const name = 'dlq'
const words = '[list | redrive]'
/** Looked at without a limit: enough for a verdict, in some seconds. */
const defaultLook = 100
/** SQS hides them from other consumers meanwhile. */
const maxLook = 1_000

interface Options {
  readonly limit: number | undefined
  readonly rate: number | undefined
  readonly 'dry-run': boolean
  readonly wait: boolean
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name,
  words,
  about:
    'Looks at the dead-letter queue of SQS and judges its messages by the rules of today, or brings them back through the pipeline. A look gives all messages back, but SQS counts it as a receive. Exit code 1 if a redriven order is rejected.',
  examples: ['dlq', 'dlq redrive --dry-run', 'dlq redrive --limit 1000 --rate 50/s --wait'],
  page: 'docs/how-to/dead-letter-queue.md',
  options: {
    limit: optionalNumber(`maximum number of messages (list: default ${defaultLook}, at most ${maxLook})`, {
      min: 1,
      max: maxRedriven,
    }),
    rate: {
      hint: 'N/s',
      about: 'of redrive: maximum messages a second',
      expected: `a rate from 1/s to ${maxRedriveRate}/s`,
      schema: z
        .string()
        .regex(/^\d{1,5}(\/s)?$/)
        .transform((given) => Number.parseInt(given, 10))
        .pipe(z.int().min(1).max(maxRedriveRate))
        .optional(),
    },
    'dry-run': flag('of redrive: changes nothing, only counts the verdicts'),
    wait: flag('of redrive: waits for the result (always on a terminal and with --dry-run)'),
    json: flag('of list: as JSON'),
  },
  run: (call) => (actionOf({ name, words }, call.words).action === 'list' ? list(call) : redrive(call)),
})

async function list({ config, options, signal, print }: Call<Options>): Promise<void> {
  await using app = await openCommandApp(config)
  using queue = await openDeadLetters(app.config, signal)
  const counts = await queue.count()
  const letters: DeadLetter[] = []
  const limit = Math.min(options.limit ?? defaultLook, maxLook)
  for await (const some of judgeDeadLetters(app, queue, limit, signal)) letters.push(...some)
  const found = { name: queue.name, isFifo: queue.isFifo, ...counts, letters }
  print(options.json ? jsonLine(deadLetterJson(found, app.format)) : deadLetterLines(found, app.format, app.now()))
}

async function redrive({ config, options, signal, print, stdout, fail }: Call<Options>): Promise<void> {
  await using app = await openCommandApp(config)
  await using queues = openQueues(app.redis)
  using queue = await openDeadLetters(app.config, signal)
  const { messages, inFlight } = await queue.count()
  const found = messages + inFlight
  if (found === 0) return print(wrapped(`The dead-letter queue ${queue.name} is empty.`))
  const { rate, 'dry-run': dryRun } = options
  const limit = options.limit ?? maxRedriven
  const jobId = newRedriveId()
  const body = { limit: options.limit, rate, dry_run: dryRun || undefined }
  const action = {
    by: operatingUser(),
    ...actionAsked({ action: 'redrive', where: { job: jobId }, body }, '', app.format),
  }
  const total = Math.min(limit, found)
  await audited(app, action, () => addRedrive(queues, jobId, { limit, rate, dryRun }, action.by))
  print(
    `Job ${jobId}: ${countText(total)} dead ${total === 1 ? 'letter' : 'letters'} to ${dryRun ? 'judge' : 'redrive'}.`,
  )
  const warning = await redriveWarning(app, { dryRun })
  if (warning !== undefined) print(wrapped(warning))
  if (warning !== undefined && dryRun && !options.wait && !stdout.isTTY) return fail() // a script would wait forever
  if (!options.wait && !dryRun && !stdout.isTTY) {
    return print(wrapped(`--wait shows what becomes of them, and so does orders jobs show ${jobId}.`))
  }
  const result = await followJob(app, queues, jobId, { progress: progressOn(stdout, 'judged', total), total, signal })
  for (const line of resultLines(result, 'dlq')) print(line)
  if (isIncomplete(result)) fail()
}
