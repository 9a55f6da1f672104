import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { actionAsked, withJob } from '../../../api/http/summary.ts'
import type { App } from '../../../app.ts'
import { audited } from '../../../control/audit-log.ts'
import { type AskedCorrection, addOrderCorrection, type OrderCorrection } from '../../../control/correct-order.ts'
import { newJobId, openQueues, type Queues } from '../../../control/job-queues.ts'
import { jobsWarning } from '../../../control/jobs-alive.ts'
import { OrdersError } from '../../../errors.ts'
import { identityText } from '../../../order/identity.ts'
import { maxOrderValue } from '../../../order/money.ts'
import { actionOf } from '../../action.ts'
import { defineCommand, flag, type Option, reasonOption } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { followVerdict } from '../../process/follow-verdict.ts'
import { operatingUser } from '../../process/operating-user.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { wrapped } from '../../terminal/wrapped.ts'

const name = 'correct'
const words = 'cancel <user_id> <order_id> | refund <user_id> <order_id> | amend <user_id> <order_id>'

interface Options {
  readonly amount: number | undefined
  readonly value: number | undefined
  readonly reason: string | undefined
  readonly event: string | undefined
  readonly wait: boolean
  readonly json: boolean
}

export const command = defineCommand<Options>({
  name,
  words,
  about:
    'Cancels, refunds or amends an order that was counted. refund takes back --amount, at most what is left; amend gives the order the value of --value. Exit code 1 with --wait if it is rejected.',
  examples: ['correct cancel user_7 6f1c --reason twice', 'correct refund u7 6f1c --amount 9 --reason late'],
  page: 'docs/how-to/correct-orders.md',
  options: {
    amount: money('of refund: what is taken back, in currency units'),
    value: money('of amend: what the order is worth from now on'),
    reason: { ...reasonOption, about: 'the reason, which is kept in the audit log' },
    event: {
      hint: 'ID',
      about: 'the event_id: the same one of an order is the same correction (default: one of its own)',
      expected: 'a text of 1 to 256 characters',
      schema: z
        .string()
        .refine((given) => identityText(given) !== undefined)
        .optional(),
    },
    wait: flag('waits for the verdict (always on a terminal)'),
    json: flag('as JSON, on one line'),
  },
  run: async ({ config, options, words: given, signal, print, stdout, fail }) => {
    const asked = askedBy(given, options)
    await using app = await openCommandApp(config)
    await using queues = openQueues(app.redis)
    const jobId = await send(app, queues, asked)
    const warning = await jobsWarning(app.redis).catch(() => undefined) // the job is queued all the same
    if (!options.wait && (options.json || !stdout.isTTY)) {
      if (options.json) return print(jsonLine({ status: 'accepted', job_id: jobId, warning }))
      print(['Queued. This shows the verdict:', `orders jobs show ${jobId}`])
      return print(warning === undefined ? [] : wrapped(warning))
    }
    if (warning !== undefined && !options.json) print(wrapped(warning))
    const found = await followVerdict(queues, jobId, signal)
    const { verdict, reason, hint, invalid_id } = found
    if (verdict !== 'corrected' && verdict !== 'duplicate') fail()
    if (options.json) return print(jsonLine({ job_id: jobId, ...found }))
    print(sentenceOf(asked, verdict))
    for (const text of [reason, hint]) if (text !== undefined) print(wrapped(text))
    if (invalid_id !== undefined) print(`It is in the invalid channel: orders invalid show ${invalid_id}`)
  },
})

function money(about: string): Option<number | undefined> {
  const schema = z
    .string()
    .regex(/^\d{1,10}(\.\d{1,10})?$/)
    .transform(Number)
    .pipe(z.number().max(maxOrderValue))
    .optional()
  return { hint: 'AMOUNT', about, expected: `an amount from 0 to ${maxOrderValue}, such as 12.50`, schema }
}

/** @throws OrdersError ORD_USAGE where an option is missing, or belongs to another action */
function askedBy(given: readonly string[], { amount, value, reason, event }: Options): AskedCorrection {
  const found = actionOf({ name, words }, given)
  const [correction, userId, orderId = ''] = [found.action as OrderCorrection, found.argument, found.more[0]]
  const refuse = (problem: string): OrdersError =>
    new OrdersError('ORD_USAGE', `orders correct ${correction}: ${problem}: see orders correct --help.`)
  if (reason === undefined) throw refuse('give a reason by --reason')
  if ((amount !== undefined) !== (correction === 'refund')) throw refuse('--amount goes with refund, which needs it')
  if ((value !== undefined) !== (correction === 'amend')) throw refuse('--value goes with amend, which needs it')
  for (const [label, id] of [
    ['user_id', userId],
    ['order_id', orderId],
  ] as const)
    if (identityText(id) === undefined) throw refuse(`a ${label} has 1 to 256 characters`)
  const fields = {
    reason,
    ...(event !== undefined && { event_id: event }),
    ...(amount !== undefined && { amount }),
    ...(value !== undefined && { order_value: value }),
  }
  return { correction, userId, orderId, fields, by: operatingUser() }
}

/** Sends the correction by a job, with the same entry in the audit log as the route. Returns the id of the job. */
async function send(app: App, queues: Queues, asked: AskedCorrection): Promise<string> {
  const { correction, userId: user_id, orderId: order_id, fields, by } = asked
  const jobId = newJobId('reprocess', randomUUID())
  const where = { user_id, order_id }
  const action = { by, ...actionAsked({ action: `${correction}-order`, where, body: fields }, '', app.format) }
  const add = () => addOrderCorrection(queues, asked, { jobId, now: app.now(), format: app.format })
  const { refused } = await audited(app, action, add, ({ refused }) => {
    return refused ? undefined : withJob(action.what, jobId)
  })
  if (!refused) return jobId
  const { path, field } = refused
  throw new OrdersError(
    'ORD_USAGE',
    `ORDER_FIELDS reads ${field} at ${path}: send the correction to the queue instead.`,
  )
}

function sentenceOf({ correction, userId, orderId }: AskedCorrection, verdict: string): string {
  const order = `order ${orderId} of user ${userId}`
  if (verdict === 'corrected') return `Corrected: ${correction} of ${order}.`
  if (verdict === 'duplicate') return `Nothing changed: this correction of ${order} was made before.`
  return verdict === 'cancelled' ? 'The job was cancelled: nothing was sent.' : `Not corrected: ${order}.`
}
