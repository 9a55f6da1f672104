import { z } from 'zod'
import { traceOf, traceReply } from '../../../api/replies/trace.ts'
import type { App } from '../../../app.ts'
import { readPauses } from '../../../control/pauses.ts'
import { OrdersError } from '../../../errors.ts'
import { findOwners, locateOrder, type OrderLocation, type Owners } from '../../../reads/locate/locate.ts'
import { defineCommand, flag } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { show } from '../../terminal/interactive/watch.ts'
import { locationLines, rejectionEvents } from '../../terminal/location-text.ts'
import { coverageLines, pausedLines } from '../../terminal/notes.ts'
import { type Line, sentence } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'

/** Orders that are traced; further ones are only named. */
const maxTraced = 5

/** Traces what an id stands for without a given user: an order of each user who has one, and the orders of a message. */
async function traceOwners(app: App, id: string): Promise<Owners & { readonly traces: readonly OrderLocation[] }> {
  const owners = await findOwners(app, id)
  const traces: OrderLocation[] = []
  for (const order of owners.orders.slice(0, maxTraced)) traces.push(await locateOrder(app, order))
  return { ...owners, traces }
}

function ownersLines(
  id: string,
  { orders, nameless, scanned, traces }: Awaited<ReturnType<typeof traceOwners>>,
  { now, format: { money } }: App,
): Line[] {
  return [
    sentence(foundText(id, orders)),
    ...nameless.flatMap((one) => {
      const user = one.userId === undefined ? 'no user' : `user ${one.userId}`
      return rejectionEvents(one, now()).map(({ text }) => sentence(`Of ${user}: ${text}`, '  '))
    }),
    ...coverageLines(scanned).map((text) => sentence(text, '  ')),
    ...traces.flatMap((trace) => ['', ...locationLines(trace, money)]),
    ...orders
      .slice(maxTraced)
      .map(({ userId, orderId }) =>
        sentence(`Also ${orderId === id ? '' : `order ${orderId} `}of user ${userId}: trace it with --user.`),
      ),
  ]
}

function foundText(id: string, orders: Owners['orders']): string {
  const { length } = orders
  if (length === 0) return `No order ${id} is in the streams now. Give --user to look it up in the ledger too.`
  if (orders.some(({ orderId }) => orderId !== id)) {
    const found = length === 1 ? 'One order' : `${length} orders`
    return `${found} of message ${id} ${length === 1 ? 'is' : 'are'} in the streams.`
  }
  const found = length === 1 ? 'One user has' : `${length} users have`
  return `${found} an order ${id} in the streams. Give --user for one that is no longer there.`
}

/** Lists the paused components, which may be why an order waits. */
const whyItWaits = async (app: App): Promise<Line[]> => pausedLines(await readPauses(app.redis, app.control), app.now())

export const command = defineCommand({
  name: 'trace',
  words: '<order_id>',
  about:
    'Shows where an order is or was, and which of its steps are no longer known. Without --user, for each user with such an order in the streams, or for the orders of the SQS message with this id.',
  examples: ['trace 6f1c', 'trace 6f1c --user ada --json'],
  page: 'docs/getting-started.md',
  options: {
    user: {
      hint: 'USER_ID',
      about: 'the user whose order it is',
      expected: 'a user_id',
      schema: z.string().min(1).optional(),
    },
    json: flag('as JSON on one line'),
  },
  run: async ({ config, options: { user, json }, words: [orderId, ...more], signal, print }) => {
    if (orderId === undefined || orderId === '' || more.length > 0) {
      throw new OrdersError('ORD_USAGE', 'orders trace: expected one order_id: see orders trace --help.')
    }
    await using app = await openCommandApp(config)
    await show({ watch: false, json, signal, print }, async () => {
      const { money } = app.format
      if (user !== undefined) {
        const trace = await locateOrder(app, { userId: user, orderId })
        if (json) return jsonLine(traceReply.parse(traceOf(trace, money)))
        return [...locationLines(trace, money), ...(await whyItWaits(app))]
      }
      const owners = await traceOwners(app, orderId)
      const users = [...new Set(owners.orders.map(({ userId }) => userId))]
      if (json) {
        const traces = owners.traces.map((trace) => traceOf(trace, money))
        return jsonLine(ownersReply.parse({ order_id: orderId, users, ...owners, traces }))
      }
      return [...ownersLines(orderId, owners, app), ...(await whyItWaits(app))]
    })
  },
})

const ownersReply = z.object({
  order_id: z.string(),
  users: z.array(z.string()),
  nameless: traceReply.shape.invalid,
  scanned: traceReply.shape.scanned,
  traces: z.array(traceReply),
})
