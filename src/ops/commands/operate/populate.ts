import { z } from 'zod'
import { OrdersError } from '../../../errors.ts'
import { contentsOf, type Reading } from '../../../ingest/envelope/contents.ts'
import { isEmulated, queuePlace } from '../../../ingest/sqs/endpoint.ts'
import { openQueue } from '../../../ingest/sqs/queue.ts'
import { formatOf, type OrderFormat } from '../../../order/format.ts'
import { writeOrder } from '../../../order/write-order.ts'
import { countText } from '../../../reads/count-text.ts'
import { checkMessage } from '../../../stages/rules.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { correctionsOf, sampleOrders, startOfDay } from '../../local/sample-orders.ts'
import { sendBatch, sendOrders } from '../../local/send-orders.ts'
import { interruptible } from '../../process/interruptible.ts'
import { progressOn } from '../../terminal/interactive/progress.ts'

export const command = defineCommand({
  name: 'populate',
  about:
    'Sends sample orders to the queue, of the last 30 days, or one message of your own. The same seed gives the same orders.',
  examples: ['populate --valid 500 --invalid 20 --rate 50', 'populate --corrections 5%', 'populate --seed 7'],
  page: 'docs/getting-started.md',
  options: {
    body: {
      hint: 'TEXT',
      about: 'sends this one message, whatever it is, and no sample orders',
      expected: 'a text that is not empty',
      onlyWith: ['aws'],
      schema: z.string().min(1).optional(),
    },
    valid: wholeNumber('number of valid orders', 50),
    invalid: wholeNumber('number of invalid orders', 10),
    corrections: {
      hint: 'N%',
      about: 'share of the valid orders that are refunded, amended or cancelled some orders later (default 0%)',
      expected: 'a percentage from 0% to 100%, such as 5%',
      schema: z
        .string()
        .regex(/^\d{1,3}(\.\d{1,3})?%$/)
        .transform((text) => Number(text.slice(0, -1)))
        .pipe(z.number().max(100))
        .optional()
        .transform((percent = 0) => percent),
    },
    users: wholeNumber('number of users', 100, { min: 1 }),
    seed: {
      hint: 'N',
      about: 'seed of the orders (default random, so that each run sends new ones)',
      expected: 'a whole number from 0 to 4294967295',
      schema: z
        .string()
        .regex(/^\d{1,10}$/)
        .transform(Number)
        .pipe(z.int().max(2 ** 32 - 1))
        .optional(),
    },
    aws: flag('sends to AWS itself if AWS_ENDPOINT_URL is not set'),
    rate: {
      hint: 'N',
      about: 'messages a second (default as fast as SQS takes them)',
      expected: 'a whole number from 1 to 1000000',
      schema: z
        .string()
        .regex(/^[1-9]\d{0,6}$/)
        .transform(Number)
        .optional(),
    },
  },
  run: async ({ config, options, signal, print, stdout }) => {
    const { body, rate, aws, seed = Math.floor(Math.random() * 2 ** 32), ...samples } = options
    const here = withRunning(config)
    const format = formatOf(here)
    if (here.awsEndpointUrl === undefined && !isEmulated(here) && !aws) {
      const problem = 'No system runs in this folder and AWS_ENDPOINT_URL is not set'
      throw new OrdersError(
        'ORD_LOCAL',
        `${problem}: run npm start first, or use --aws to send sample orders to AWS itself.`,
      )
    }
    using queue = await openQueue(here, signal)
    const where = queuePlace(here)
    if (body !== undefined) {
      await sendBatch(queue, [body], format, signal)
      const how = { envelopes: here.envelopes, many: here.ordersPerBody === 'many', format }
      return print(`Sent one message to ${where}.${rejected(body, how)}`)
    }
    const corrections = correctionsOf(samples.valid, samples.corrections)
    const total = samples.valid + samples.invalid + corrections
    const progress = progressOn(stdout, 'sent', total)
    let sent = 0
    const counting = {
      show: (done: number) => {
        sent = done
        progress.show(done)
      },
      end: progress.end,
    }
    const orders = sampleOrders({ ...samples, seed, until: startOfDay(new Date()), money: format.money })
    const sending = sendOrders(queue, bodies(orders, format), { rate, progress: counting, format }, signal)
    await interruptible(sending, signal, () => interrupted(sent, total, seed))
    counting.end()
    const and = corrections === 0 ? '' : `, and ${corrections} corrections,`
    print(`Sent ${samples.valid} valid and ${samples.invalid} invalid orders${and} to ${where}, seed ${seed}.`)
  },
})

/** A batch that was on its way may have arrived too. The same message sent again is a duplicate, and counted once. */
function interrupted(sent: number, total: number, seed: number): string {
  const left = `at least ${countText(sent)} of ${countText(total)} messages were sent`
  return `Interrupted: ${left}. The same command with --seed ${seed} sends the rest. Of those sent already, accepted ones are duplicates and invalid ones are rejected again.`
}

/** Says why validate will reject a body, such as one whose quotes a shell has removed. */
function rejected(body: string, how: Reading): string {
  const contents = contentsOf('message', body, how)
  if ('pointer' in contents) return '' // only the bridge reads the object
  const verdicts = contents.map(({ record }) => record.rejection ?? checkMessage(record.body, how.format))
  const found = verdicts.filter((verdict) => 'code' in verdict)
  const [first] = found
  if (first === undefined) return ''
  const which = contents.length === 1 ? 'It' : `Of its ${contents.length} orders, ${found.length}`
  return ` ${which} will be rejected${found.length === 1 ? '' : ', the first'} as ${first.code}: ${first.reason}.`
}

/** With a field map, orders are sent as the shop of the map sends them. */
function* bodies(samples: Iterable<{ body: string }>, format: OrderFormat): Generator<string> {
  for (const { body } of samples) yield writeOrder(body, format)
}
