import type { App } from '../../app.ts'
import type { OpenIncident } from '../../control/incidents.ts'
import type { Money, Sum } from '../../order/money.ts'
import type { Books } from '../../reads/books.ts'
import { countText } from '../../reads/count-text.ts'
import { acknowledgedLines } from '../verify/acknowledge.ts'
import type { DeepCheck } from '../verify/compare-scores.ts'
import { lossText } from '../verify/ledger-losses.ts'
import type { Repaired } from '../verify/repair.ts'
import type { Verification } from '../verify/verification.ts'
import { aboutRecords, amountText, countOf, ordersText, recordsText } from './numbers.ts'
import { type Line, sentence } from './output.ts'
import { table, turnedTable } from './table.ts'
import { timeText } from './times.ts'

const shownUsers = 20

export function verificationLines(verification: Verification, { now, format }: Pick<App, 'now' | 'format'>): Line[] {
  const amount = amountIn(format.money)
  const {
    books,
    audit,
    calendar,
    calendarRepaired,
    ledger = [],
    repaired,
    incidents,
    acknowledged,
    writtenOff,
  } = verification
  const differences = [
    ...books.losses,
    ...books.differences,
    ...(audit?.differences ?? []),
    ...(calendar?.differences ?? []),
    ...ledger.map(lossText),
  ]
  return [
    ...(acknowledged ? [...acknowledgedLines(acknowledged).map((text) => sentence(text, '  ')), ''] : []),
    ...(repaired ? [...repairLines(repaired, amount), ''] : []),
    ...booksLines(books, amount),
    ...(audit ? ['', ...auditLines(audit, amount)] : []),
    '',
    ...(calendarRepaired
      ? [sentence(`Repaired in the calendar: ${countOf(calendarRepaired, 'score')} of periods or days.`)]
      : []),
    ...[...books.notes, ...(calendar?.notes ?? [])].map((note) => sentence(note, '  ')),
    ...differences.map((difference) => sentence(difference, '  ', 'red')),
    ...(writtenOff ? [sentence(writeOffLine(writtenOff))] : []),
    sentence(closing(verification), '', closingColors[verification.verdict]),
    ...incidentLines(incidents, now()),
  ]
}

function incidentLines(incidents: readonly OpenIncident[], now: Date): Line[] {
  if (incidents.length === 0) return []
  const some = incidents.length === 1 ? 'One incident is' : `${incidents.length} incidents are`
  const head = `${some} not acknowledged. Once all is dealt with: orders verify --acknowledge.`
  const lines = incidents.map(({ ts, text }) => sentence(`${timeText(ts, now)}  ${text}`, '  ', 'red'))
  return ['', sentence(head), ...lines]
}

function writeOffLine({ booked, orders }: NonNullable<Verification['writtenOff']>): string {
  const each = Object.entries(orders).map(([stage, count]) => `${stage} ${number(count)}`)
  if (each.length === 0) return 'Nothing was written off: no order that can be measured is missing.'
  if (booked) return `Written off as lost: ${each.join(', ')}.`
  return `Would be written off as lost: ${each.join(', ')}. Nothing is booked yet: orders verify --write-off --yes does it.`
}

const closingColors = { right: undefined, undecided: 'yellow', wrong: 'red' } as const

function closing(verification: Verification): string {
  const { verdict, books, audit, calendar, ledger = [] } = verification
  if (verdict === 'undecided') return `Nothing wrong was found, but ${uncompared(verification)}`
  if (books.losses.length > 0 && books.differences.length === 0) {
    return 'The books do not balance: orders were deleted unread. See OrdersLost in docs/runbook.md; --write-off books them as lost.'
  }
  if (books.balanced === false) return 'The books do not balance.'
  if (ledger.length > 0) return 'The ledger has lost orders: orders verify --acknowledge accepts that.'
  if (!audit) return 'The books balance. Users, leaderboards and global stats are compared with --deep.'
  if (verdict === 'right') return 'Everything balances.'
  if (audit.verdict === 'right' && calendar?.verdict === 'wrong') {
    return 'The calendar does not add up: --repair sets leaderboards and days by their users, --acknowledge accepts the rest.'
  }
  const doubted = audit.sums && audit.sums.users.orders !== audit.sums.counted
  return doubted
    ? "The users' totals contradict the counters: with an archive orders rebuild --flip counts them again."
    : "The users' totals do not agree with the rest: --repair sets leaderboards and global stats by them."
}

/** Says what could not be compared. The sentences above say why. */
function uncompared({ books, audit, calendar }: Verification): string {
  const parts = [
    ...(books.balanced === null ? ['the books could not be read'] : []),
    ...(audit?.verdict === 'undecided' ? ['not all users could be compared with the leaderboards'] : []),
    ...(calendar?.verdict === 'undecided' ? ['not all of the calendar could be compared'] : []),
  ]
  return `${parts.join(', and ')}: see above.`
}

const number = (value: number | bigint | null): string => (value === null ? '-' : countText(value))

type Amount = (minor: number | bigint | null) => string
const amountIn =
  (money: Money): Amount =>
  (minor) =>
    minor === null ? '-' : amountText(Number(minor), money)

function booksLines(books: Books, amount: Amount): Line[] {
  const { received, admitted, corrected, duplicates, rejected, lost, waiting, stages, applied, totals, invalid } = books
  const isCorrected = corrected !== 0 // a system without corrections need not read of them
  const columns = [
    ...['stage', 'in', 'passed', ...(isCorrected ? ['corrected'] : [])],
    ...['duplicates', 'rejected', 'missed', 'lost', 'waiting', 'in stream'],
  ]
  const rows = stages.map(({ stage, measured, ...of }) => [
    stage,
    ...[of.in, of.passed, ...(isCorrected ? [of.corrected] : [])].map(number),
    ...[of.duplicates, of.rejected, of.missed, of.lost, of.waiting].map(number),
    measured === null ? '?' : number(measured),
  ])
  return [
    ...[
      `received ${number(received)}${recordsText(corrected)} = admitted ${number(admitted)}${isCorrected ? ` + corrected ${number(corrected)}` : ''}` +
        ` + duplicates ${number(duplicates)} + rejected ${number(rejected)} + lost ${number(lost)} + waiting ${number(waiting)}`,
      `counted ${number(applied)}${recordsText(corrected)}, global stats ${ordersText(totals.orders, '-')}, ${amount(totals.minor)} revenue`,
      `invalid channel: ${number(invalid.stream)} in the stream, ${number(invalid.list)} in the list, ${number(invalid.groups)} in groups`,
      ...(corrected ? [aboutRecords] : []),
    ].map((text) => sentence(text, '  ')),
    '',
    ...turnedTable([columns, ...rows]),
  ]
}

function auditLines({ users, sums, examples }: DeepCheck, amount: Amount): string[] {
  const row = (name: string, { orders, minor }: Sum): string[] => [name, number(orders), amount(minor)]
  const all = sums && [
    ['at one moment', 'orders', 'revenue'],
    row(`${number(users)} users`, sums.users),
    row('global stats', sums.global),
    row('leaderboards', sums.leaderboards),
  ]
  const rows = examples
    .slice(0, shownUsers)
    .map((user) => [
      user.user_id,
      number(user.order_count),
      number(user.score_orders),
      amount(user.total_spend_minor),
      amount(user.score_spend_minor),
    ])
  const wrong = rows.length > 0 ? ['', ...table([['user', 'orders', 'score', 'spend', 'score'], ...rows])] : []
  return [...table(all ?? []), ...wrong]
}

function repairLines({ users, scored, before, after, found }: Repaired & { found: DeepCheck }, amount: Amount): Line[] {
  const sum = ({ orders, minor }: Sum): string => `${ordersText(orders, '-')}, ${amount(minor)}`
  return [
    ...found.differences.map((difference) => sentence(difference, '  ')),
    `Repaired by the totals of ${number(users)} users: ${number(scored)} had a wrong score.`,
    ...table([
      ['', 'before', 'after'],
      ['global stats', sum(before), sum(after)],
      ['leaderboards', found.sums ? sum(found.sums.leaderboards) : '?', sum(after)],
    ]),
  ]
}
