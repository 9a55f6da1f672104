import { failure } from '../../api/failure.ts'
import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { type OpenIncident, readIncidents } from '../../control/incidents.ts'
import { OrdersError } from '../../errors.ts'
import { type Books, readBooks } from '../../reads/books.ts'
import { defineCommand, flag } from '../command.ts'
import { operatingUser } from '../commands/inspect/audit.ts'
import { money, table } from '../commands/inspect/status.ts'
import { withRunning } from '../local/running-system.ts'
import { requireAdopted } from '../manifest.ts'
import { connectApp } from '../open/open-app.ts'
import { type Acknowledged, acknowledge, acknowledgedLines, lossesOf } from '../verify/acknowledge.ts'
import { type Audit, mostExamples } from '../verify/compare-scores.ts'
import type { Sum } from '../verify/counted-feed.ts'
import { audit } from '../verify/deep-check.ts'
import { type LedgerLoss, lossText } from '../verify/ledger-losses.ts'
import { type Repaired, repair } from '../verify/repair.ts'
import { type WrittenOff, writeOff } from '../verify/write-off.ts'
import { jsonLine } from './printable.ts'

/** What was found; after a repair, what was found then. */
export interface Verification {
  readonly verdict: Audit['verdict']
  readonly books: Books
  readonly audit?: Audit
  /** Of a deep one: what the ledger has lost. */
  readonly ledger?: readonly LedgerLoss[]
  /** What happened to Redis' data from outside and is not acknowledged. */
  readonly incidents: readonly OpenIncident[]
  readonly acknowledged?: Acknowledged
  /** What a repair did, and what had been found before it. */
  readonly repaired?: Repaired & { readonly found: Audit }
  /** What a write-off booked as lost, or what it would. */
  readonly writtenOff?: { readonly booked: boolean; readonly orders: WrittenOff }
}

type Depth = { readonly deep: boolean; readonly repair: boolean; readonly force: boolean }
type WriteOff = { readonly 'write-off': boolean; readonly yes: boolean }

/** Verifies the books, in detail if `deep`; with `repair` mends what is not right and verifies again. */
export async function verify(app: App, depth: Depth, signal: AbortSignal): Promise<Verification> {
  const found = await examine(app, depth.deep || depth.repair, signal)
  if (!depth.repair || !found.audit || found.audit.verdict === 'right') return found
  if (!depth.force) refuseToSpoil(found.books, found.audit)
  const action = { action: 'orders verify --repair', by: operatingUser(), what: '{}' }
  const did = await audited(
    app,
    action,
    () => repair(app, signal),
    (done) => JSON.stringify(done, jsonValue),
  )
  const repaired = { ...did, found: found.audit }
  return { ...(await examine(app, true, signal)), repaired }
}

/** @throws OrdersError ORD_BOOKS where it looks as if the users' hashes were what is wrong: a repair takes them for the truth. */
function refuseToSpoil({ applied, totals, unread }: Books, { sums, wrongUsers, examples }: Audit): void {
  if (totals.orders === null || applied === null) {
    throw new OrdersError('ORD_BOOKS', `${unread.join(' ')} Nothing is repaired: mend that first.`)
  }
  if (!sums) return
  const { users, global, leaderboards } = sums
  const same = (one: Sum, other: Sum): boolean => one.orders === other.orders && one.minor === other.minor
  const counted = global.orders - BigInt(totals.orders - applied) // at the moment of the sums, by the counter
  const othersAgree = same(global, leaderboards) && !same(users, global)
  if (users.orders === counted && !othersAgree) return
  const some = examples.slice(0, 5).map(({ user_id }) => user_id)
  const whose = `some users' own totals are wrong (of ${wrongUsers} that differ: ${some.join(', ')})`
  const told = `What was counted does not agree with the users' totals: it seems that ${whose}`
  throw new OrdersError('ORD_BOOKS', `${told}. A repair would spread that: mend them first, or say --force.`)
}

async function examine(app: App, deep: boolean, signal: AbortSignal): Promise<Verification> {
  const books = await readBooks(app.redis, app.partitions)
  const verdict = books.balanced === null ? 'undecided' : books.balanced ? 'right' : 'wrong'
  const incidents = await readIncidents(app.redis)
  if (!deep) return { verdict, books, incidents }
  const found = await audit(app, signal)
  const ledger = await lossesOf(app, signal)
  const worst = ledger.length > 0 || found.verdict === 'wrong' ? 'wrong' : verdict
  return { verdict: worst === 'right' ? found.verdict : worst, books, audit: found, ledger, incidents }
}

const shownUsers = 20

export function verificationLines(verification: Verification): string[] {
  const { books, audit, ledger = [], repaired, incidents, acknowledged, writtenOff } = verification
  const differences = [
    ...books.notes,
    ...books.losses,
    ...books.differences,
    ...(audit?.differences ?? []),
    ...ledger.map(lossText),
  ]
  return [
    ...(acknowledged ? [...acknowledgedLines(acknowledged), ''] : []),
    ...(repaired ? [...repairLines(repaired), ''] : []),
    ...booksLines(books),
    ...(audit ? ['', ...auditLines(audit)] : []),
    '',
    ...differences,
    ...(writtenOff ? [writeOffLine(writtenOff)] : []),
    closing(verification),
    ...incidentLines(incidents),
  ]
}

function incidentLines(incidents: readonly OpenIncident[]): string[] {
  if (incidents.length === 0) return []
  const some = incidents.length === 1 ? 'One incident is' : `${incidents.length} incidents are`
  const head = `${some} not acknowledged. Once all is dealt with: orders verify --acknowledge.`
  return ['', head, ...incidents.map(({ ts, text }) => `${ts}  ${text}`)]
}

function writeOffLine({ booked, orders }: NonNullable<Verification['writtenOff']>): string {
  const each = Object.entries(orders).map(([stage, count]) => `${stage} ${number(count)}`)
  if (each.length === 0) return 'Nothing was written off: no order that can be measured is missing.'
  if (booked) return `Written off as lost: ${each.join(', ')}.`
  return `Would be written off as lost: ${each.join(', ')}. Nothing is booked yet: orders verify --write-off --yes does it.`
}

function closing({ verdict, books, audit, ledger = [] }: Verification): string {
  if (verdict === 'undecided') return 'Nothing wrong was found, but not all could be compared.'
  if (books.losses.length > 0 && books.differences.length === 0) {
    return 'The books do not balance: orders were deleted unread. See OrdersLost in docs/runbook.md; --write-off books them as lost.'
  }
  if (books.balanced === false) return 'The books do not balance.'
  if (ledger.length > 0) return 'The ledger has lost orders: orders verify --acknowledge accepts that.'
  if (!audit) return 'The books balance. Users, leaderboards and global stats are compared with --deep.'
  if (verdict === 'right') return 'All is right.'
  return "The users' totals do not agree with the rest: --repair rebuilds leaderboards and global stats by them."
}

const number = (value: number | bigint | null): string => (value === null ? '-' : value.toLocaleString('en'))
const amount = (minor: number | bigint | null): string => (minor === null ? '-' : money(Number(minor)))

function booksLines({
  received,
  admitted,
  duplicates,
  rejected,
  lost,
  waiting,
  stages,
  applied,
  totals,
  invalid,
}: Books): string[] {
  const columns = ['stage', 'in', 'passed', 'duplicates', 'rejected', 'missed', 'lost', 'waiting', 'in stream']
  const rows = stages.map(({ stage, measured, ...of }) => [
    stage,
    ...[of.in, of.passed, of.duplicates, of.rejected, of.missed, of.lost, of.waiting].map(number),
    measured === null ? '?' : number(measured),
  ])
  return [
    `received ${number(received)} = admitted ${number(admitted)} + duplicates ${number(duplicates)}` +
      ` + rejected ${number(rejected)} + lost ${number(lost)} + waiting ${number(waiting)}`,
    `counted ${number(applied)}, global stats ${number(totals.orders)} orders, ${amount(totals.minor)} revenue`,
    `invalid channel: ${number(invalid.stream)} in the stream, ${number(invalid.list)} in the list, ${number(invalid.groups)} in groups`,
    '',
    ...table([columns, ...rows]),
  ]
}

function auditLines({ users, sums, examples }: Audit): string[] {
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

function repairLines({ users, before, after, found }: Repaired & { found: Audit }): string[] {
  const sum = ({ orders, minor }: Sum): string => `${number(orders)} orders, ${amount(minor)}`
  return [
    ...found.differences,
    `Repaired: both leaderboards rebuilt of ${number(users)} users' hashes.`,
    ...table([
      ['', 'before', 'after'],
      ['global stats', sum(before), sum(after)],
      ['leaderboards', found.sums ? sum(found.sums.leaderboards) : '?', sum(after)],
    ]),
  ]
}

export const verifyCommand = defineCommand({
  name: 'verify',
  about:
    'Verifies the books: everything that came in is counted, rejected, a duplicate, lost or waiting. Exit code 1 if not all is right.',
  options: {
    deep: flag("also every user's totals with both leaderboards and the global stats, while all goes on"),
    repair: flag('deep, and rebuilds leaderboards and global stats by the totals of the users if they are not right'),
    force: flag("repairs also where it looks as if the users' totals were what is wrong"),
    acknowledge: flag(
      'first acknowledges the incidents there are, so that verify, doctor and the alert say them no more',
    ),
    'write-off': flag('says what it would book as lost: orders that were deleted before a stage had committed them'),
    yes: flag('with --write-off: books them, while orders flow'),
    json: flag(`as JSON on one line, with up to ${mostExamples} users`),
  },
  run: async ({ config, options: { json, acknowledge: accepts, ...options }, signal, print }) => {
    if (options.yes && !options['write-off']) {
      throw new OrdersError('ORD_USAGE', 'orders verify: --yes goes with --write-off: see orders verify --help.')
    }
    await using app = await connectApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    if (options.repair || options['write-off']) await requireAdopted(app.redis, app.config)
    const acknowledged = accepts ? await acknowledge(app, signal) : undefined
    const verification = await writeOffAndVerify(app, options, signal).catch((error: unknown) => {
      if (failure(error).status !== 503) throw error
      throw new OrdersError('ORD_REDIS_UNREACHABLE', 'Redis does not answer: see that it runs.', { cause: error })
    })
    const all = { ...verification, ...(acknowledged && { acknowledged }) }
    print(json ? jsonLine(all, jsonValue) : verificationLines(all))
    if (all.verdict !== 'right' || all.incidents.length > 0) process.exitCode = 1
  },
})

async function writeOffAndVerify(app: App, options: Depth & WriteOff, signal: AbortSignal): Promise<Verification> {
  if (!options['write-off']) return verify(app, options, signal)
  let orders = await writeOff(app, 'plan')
  if (options.yes && Object.keys(orders).length > 0) {
    const action = { action: 'orders verify --write-off', by: operatingUser(), what: JSON.stringify(orders) }
    orders = await audited(app, action, () => writeOff(app, 'write'), JSON.stringify)
  }
  return { ...(await verify(app, options, signal)), writtenOff: { booked: options.yes, orders } }
}

/** JSON knows no bigint: sums beyond 2^53 are rounded. */
const jsonValue = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
