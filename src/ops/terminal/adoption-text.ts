import type { App } from '../../app.ts'
import { countText } from '../../reads/count-text.ts'
import { safeUrl } from '../../redis/endpoint.ts'
import { sum } from '../../sums.ts'
import type { Found } from '../adopt/adopt.ts'
import { pythonKeys } from '../adopt/python.ts'
import { printable } from './printable.ts'
import { table } from './table.ts'

export function foundLines(
  { config, format }: Pick<App, 'config' | 'format'>,
  { survey: found, nothing, differences, adopted }: Found,
): string[] {
  const { money } = format
  const url = safeUrl(config)
  if (nothing) return [`There is nothing to adopt: Redis at ${url} holds nothing of the Python system.`]
  const { users, global, spend, orders, invalid, problems, problemCount } = found
  const count = sum(invalid.values())
  const codes = [...invalid].map(([code, one]) => [`  ${code}`, countText(one), '', ''])
  const unknown = (value: bigint | undefined): string => (value === undefined ? '?' : countText(value))
  const lines = [
    `Data of the Python system in Redis at ${url}:`,
    ...table([
      ['', 'entries', 'orders', `${money.minorName}s`],
      ['users', countText(users.count), countText(users.orders), countText(users.minor)],
      [pythonKeys.globalStats, '', global.orders ?? '-', unknown(money.minorIn(global.revenue ?? ''))],
      [pythonKeys.leaderboardSpend, countText(spend.users), '', unknown(spend.sum)],
      [pythonKeys.leaderboardOrders, countText(orders.users), unknown(orders.sum), ''],
      [pythonKeys.invalidOrders, countText(count), '', ''],
      ...codes,
    ]),
    '',
    ...(differences.length === 0
      ? [`Users, leaderboards and global stats agree to the ${money.minorName}.`]
      : differences),
    "The users' hashes are the truth: global stats become their sum, and both leaderboards are rebuilt.",
  ]
  if (problemCount > 0) {
    const more = problemCount > problems.length ? [`and ${countText(problemCount - problems.length)} more.`] : []
    const head = 'Nothing was converted, because these keys cannot be: fix or delete them, and run this again.'
    return [...lines, '', head, ...problems.map((problem) => printable(`${problem}.`)), ...more]
  }
  if (adopted) {
    const sums = `${countText(adopted.orders)} orders and ${money.minorText(Number(adopted.minor))} of revenue`
    const did = `Adopted: ${countText(adopted.users)} users and ${countText(adopted.invalid)} invalid orders`
    return [...lines, '', `${did}; there are ${sums} now, and the books balance.`]
  }
  const advice = 'stop every process of the Python system, back Redis up, and run orders adopt --yes'
  return [...lines, '', `Nothing is changed yet: ${advice}.`]
}
