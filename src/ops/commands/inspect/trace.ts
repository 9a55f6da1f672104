import { z } from 'zod'
import { traceOf, traceReply } from '../../../api/replies/trace.ts'
import type { App } from '../../../app.ts'
import { readPauses } from '../../../control/pauses.ts'
import { OrdersError } from '../../../errors.ts'
import { findOwners, locateOrder, type OrderLocation, type Owners } from '../../../reads/locate/locate.ts'
import { defineCommand, flag } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { show } from '../../terminal/interactive/watch.ts'
import { coverageLines, locationLines, rejectionEvents } from '../../terminal/location-text.ts'
import { pausedLines } from '../../terminal/notes.ts'
import { type Line, sentence } from '../../terminal/output.ts'
import { jsonLine } from '../../terminal/printable.ts'

/** Users whose order is traced; further ones are only named. */
const maxTraced = 5

/** Traces an order without a given user: for each user with such an order in the streams. */
async function traceOwners(app: App, orderId: string): Promise<Owners & { readonly traces: readonly OrderLocation[] }> {
  const owners = await findOwners(app, orderId)
  const traces: OrderLocation[] = []
  for (const userId of owners.users.slice(0, maxTraced)) traces.push(await locateOrder(app, { userId, orderId }))
  return { ...owners, traces }
}

function ownersLines(
  orderId: string,
  { users, nameless, scanned, traces }: Awaited<ReturnType<typeof traceOwners>>,
  { now, format: { money } }: App,
): Line[] {
  return [
    sentence(foundText(orderId, users.length)),
    ...nameless.flatMap((one) => rejectionEvents(one, now())).map(({ text }) => sentence(`Of no user: ${text}`, '  ')),
    ...coverageLines(scanned).map((text) => sentence(text, '  ')),
    ...traces.flatMap((trace) => ['', ...locationLines(trace, money)]),
    ...users.slice(maxTraced).map((userId) => sentence(`Also of user ${userId}: trace it with --user.`)),
  ]
}

function foundText(orderId: string, users: number): string {
  if (users === 0) return `No order ${orderId} is in the streams now. Give --user to look it up in the ledger too.`
  const found = users === 1 ? 'One user has' : `${users} users have`
  return `${found} an order ${orderId} in the streams. Give --user for one that is no longer there.`
}

/** Lists the paused components, which may be why an order waits. */
const whyItWaits = async (app: App): Promise<Line[]> => pausedLines(await readPauses(app.redis, app.control), app.now())

export const command = defineCommand({
  name: 'trace',
  words: '<order_id>',
  about:
    'Shows where an order is or was, and which of its steps are no longer known. Without --user, for each user with such an order in the streams.',
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
      if (json) {
        const traces = owners.traces.map((trace) => traceOf(trace, money))
        return jsonLine(ownersReply.parse({ order_id: orderId, ...owners, traces }))
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
