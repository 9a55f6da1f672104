import { z } from 'zod'
import { traceReply } from '../../../api/routes/trace.ts'
import type { App } from '../../../app.ts'
import { readSteering } from '../../../control/pauses.ts'
import { OrdersError } from '../../../errors.ts'
import { findOwners, type Owners, type Trace, traceOrder } from '../../../reads/locate/locate.ts'
import { defineCommand, flag } from '../../command.ts'
import { withRunning } from '../../local/running-system.ts'
import { openApp } from '../../open/open-app.ts'
import { lookedLines, rejectionEvents, traceLines } from '../../terminal/location-text.ts'
import { jsonLine } from '../../terminal/printable.ts'
import { show } from '../../terminal/watch.ts'
import { pausedLines } from './status.ts'

/** Each is traced; of more only the names are told. */
const mostTraced = 5

/** An order whose user is not given: of each user that has one of that name, as far as the streams tell. */
async function traceOwners(app: App, orderId: string): Promise<Owners & { readonly traces: readonly Trace[] }> {
  const owners = await findOwners(app, orderId)
  const traces: Trace[] = []
  for (const userId of owners.users.slice(0, mostTraced)) traces.push(await traceOrder(app, { userId, orderId }))
  return { ...owners, traces }
}

function ownersLines(
  orderId: string,
  { users, nameless, looked, traces }: Awaited<ReturnType<typeof traceOwners>>,
): string[] {
  const found = users.length === 1 ? 'One user has' : `${users.length || 'No'} users have`
  return [
    `${found} an order ${orderId} in the streams. An order that is not there any more is known by its user and order only: give --user.`,
    ...nameless.flatMap(rejectionEvents).map(({ text }) => `Of no user: ${text}`),
    ...lookedLines(looked),
    ...traces.flatMap((trace) => ['', ...traceLines(trace)]),
    ...users.slice(mostTraced).map((userId) => `Also of user ${userId}: see with --user.`),
  ]
}

/** What is paused, so that nobody looks for another reason. */
const whyItWaits = async ({ redis, control }: App): Promise<string[]> => pausedLines(await readSteering(redis, control))

export const traceCommand = defineCommand({
  name: 'trace',
  words: '<order_id>',
  about:
    'Tells where an order is or was, and what is not known of it any more. Without --user for each user that the streams tell of.',
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
    await using app = await openApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    await show({ watch: false, json, signal, print }, async () => {
      if (user !== undefined) {
        const trace = await traceOrder(app, { userId: user, orderId })
        if (json) return jsonLine(traceReply.parse(trace))
        return [...traceLines(trace), ...(await whyItWaits(app))]
      }
      const owners = await traceOwners(app, orderId)
      if (json) return jsonLine(ownersReply.parse({ order_id: orderId, ...owners }))
      return [...ownersLines(orderId, owners), ...(await whyItWaits(app))]
    })
  },
})

const ownersReply = z.object({
  order_id: z.string(),
  users: z.array(z.string()),
  nameless: traceReply.shape.invalid,
  looked: traceReply.shape.looked,
  traces: z.array(traceReply),
})
