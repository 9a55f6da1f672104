import { userReply } from '../../../api/replies/user.ts'
import type { App } from '../../../app.ts'
import { OrdersError } from '../../../errors.ts'
import { partitionFor } from '../../../partitions.ts'
import { countText } from '../../../reads/count-text.ts'
import type { ScanCoverage } from '../../../reads/locate/scan.ts'
import { type Discarded, findDiscarded } from '../../../reads/locate/sightings.ts'
import { readRank } from '../../../reads/rank.ts'
import { readUserStats } from '../../../stages/aggregate.ts'
import { accountOf, readErasedAt } from '../../../stages/erasure/erasures.ts'
import { withNotes } from '../../../stages/hints/entry.ts'
import { newestInvalid } from '../../../stages/invalid/page.ts'
import { defineCommand, flag, wholeNumber } from '../../command.ts'
import { openCommandApp } from '../../open/command-app.ts'
import { invalidRows } from '../../terminal/invalid-text.ts'
import { coverageLines } from '../../terminal/notes.ts'
import { amountText } from '../../terminal/numbers.ts'
import { escapeJson, printableId } from '../../terminal/printable.ts'
import { cutTo, wrapped } from '../../terminal/wrapped.ts'

export const command = defineCommand({
  name: 'user',
  words: '<user_id>',
  about:
    'Shows what is known of a user: orders and spend, ranks, and the newest orders that were not accepted. The ids of accepted orders are not kept by user: trace finds an order by its id.',
  examples: ['user ada', 'user ada --limit 50 --json'],
  page: 'docs/how-to/check-a-number.md',
  options: {
    limit: wholeNumber('maximum number of invalid orders', 10, { min: 1, max: 1_000 }),
    json: flag('as JSON on one line'),
  },
  run: async ({ config, options: { limit, json }, words: [userId, ...more], signal, print }) => {
    if (userId === undefined || userId === '' || more.length > 0) {
      throw new OrdersError('ORD_USAGE', 'orders user: expected one user_id: see orders user --help.')
    }
    await using app = await openCommandApp(config)
    const user = await readUser(app, userId, limit, signal)
    print(json ? userJson(user, app) : userLines(user, app))
  },
})

interface User {
  readonly userId: string
  readonly orders: number
  readonly minor: number
  readonly erasedAt: string | undefined
  readonly ranks: readonly { readonly board: string; readonly rank: number | null; readonly users: number }[]
  /** As JSON. */
  readonly invalid: readonly string[]
  readonly discarded: readonly Discarded[]
  /** How far the discarded orders were searched. */
  readonly scanned: readonly ScanCoverage[]
}

async function readUser(app: App, userId: string, limit: number, signal: AbortSignal): Promise<User> {
  const { redis, partitions } = app
  const scope = { ...app, keys: partitionFor(partitions, userId) }
  const { orders, minor } = await readUserStats(redis, partitions, userId)
  const erasedAt = await readErasedAt(app, userId)
  const standings = Object.entries(await readRank(redis, partitions, userId, 0))
  const ranks = standings.map(([board, { users, neighbors }]) => ({ board, rank: neighbors[0]?.rank ?? null, users }))
  const invalid = await newestInvalid(app, { userId, limit, signal })
  const { found, scan } = await findDiscarded(scope, { userId, signal })
  const scanned = [{ ...scan, more: scan.more || found.length > limit }]
  return { userId, orders, minor, erasedAt, ranks, invalid, discarded: found.toReversed().slice(0, limit), scanned }
}

/** The orders are JSON text already: parsing would change their long numbers. */
function userJson({ userId, orders, minor, erasedAt, ranks, invalid, discarded, scanned }: User, app: App): string {
  const head = userReply.omit({ invalid: true }).parse({
    user_id: userId,
    order_count: orders,
    total_spend: app.format.money.toAmount(minor),
    erased_at: erasedAt,
    ranks: Object.fromEntries(ranks.map(({ board, ...rank }) => [board, rank])),
    discarded,
    scanned,
  })
  const records = invalid.map((one) => withNotes(one, app)).join(',')
  return escapeJson(`${JSON.stringify(head).slice(0, -1)},"invalid":[${records}]}`)
}

function userLines({ userId, orders, minor, erasedAt, ranks, invalid, discarded, scanned }: User, app: App): string[] {
  const ofRank = ranks.map(({ board, rank, users }) => {
    const place = rank === null ? 'not ranked' : `rank ${countText(rank)} of ${countText(users)}`
    return `${`by ${board}`.padEnd(9)}  ${place}`
  })
  const lines = discarded.map(({ at, by, why, rejected: { code } }) => cutTo(80, `${at}  ${code}, by ${by}: ${why}`))
  return [
    ...wrapped(`user       ${printableId(userId)}`),
    ...(erasedAt === undefined
      ? []
      : wrapped(`erased     at ${erasedAt}: the numbers count for ${accountOf(partitionFor(app.partitions, userId))}`)),
    `orders     ${countText(orders)}`,
    `spend      ${amountText(minor, app.format.money)}`,
    ...ofRank,
    ...(invalid.length > 0
      ? ['', 'Invalid orders, newest first', ...invalidRows(invalid, app.format, app.now())]
      : ['', 'No invalid order.']),
    ...(lines.length > 0 ? ['', 'Discarded orders, newest first', ...lines] : []),
    ...coverageLines(scanned).flatMap((line) => wrapped(line)),
  ]
}
