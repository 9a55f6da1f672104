import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { type OpenIncident, readIncidents } from '../../control/incidents.ts'
import { holdLock, type Lock } from '../../control/lock.ts'
import { OrdersError } from '../../errors.ts'
import { isNoSum, type Sum } from '../../order/money.ts'
import { type Books, readBooks } from '../../reads/books.ts'
import { accountName } from '../../stages/erasure/account.ts'
import { type CalendarCheck, checkCalendar } from '../calendar/check.ts'
import { operatingUser } from '../process/operating-user.ts'
import { type Acknowledged, lossesOf } from './acknowledge.ts'
import type { DeepCheck, DeepSums } from './compare-scores.ts'
import { deepCheck } from './deep-check.ts'
import type { LedgerLoss } from './ledger-losses.ts'
import { type Repaired, repair } from './repair.ts'
import { type WrittenOff, writeOff } from './write-off.ts'

/** The findings; after a repair, those of the second check. */
export interface Verification {
  readonly verdict: DeepCheck['verdict']
  readonly books: Books
  readonly audit?: DeepCheck
  /** Of a deep one, where there is a calendar. */
  readonly calendar?: CalendarCheck
  /** Of a deep one: what the ledger has lost. */
  readonly ledger?: readonly LedgerLoss[]
  /** Changes of Redis' data from outside that are not acknowledged. */
  readonly incidents: readonly OpenIncident[]
  readonly acknowledged?: Acknowledged
  /** The result of a repair, and the findings before it. */
  readonly repaired?: Repaired & { readonly found: DeepCheck }
  /** How many scores of days, weeks and months, and how many days, a repair has set. */
  readonly calendarRepaired?: number
  /** The orders that a write-off booked as lost, or would book. */
  readonly writtenOff?: { readonly booked: boolean; readonly orders: WrittenOff }
}

type Depth = { readonly deep: boolean; readonly repair: boolean; readonly force: boolean }
type WriteOff = { readonly 'write-off': boolean; readonly yes: boolean }

/** Verifies the books, in detail if `deep`; with `repair` fixes what it can and verifies again. */
export async function verify(app: App, depth: Depth, signal: AbortSignal): Promise<Verification> {
  // A rebuild adds what it found to be lacking: after a repair in between, that would be added twice.
  const others = 'orders verify --repair, rebuild, erase or repartition'
  await using lock = depth.repair ? await holdLock(app.redis, () => {}, signal, others) : undefined
  const found = await examine(app, depth.deep || depth.repair, signal)
  if (!depth.repair || !found.audit) return found
  const isWrong = found.audit.verdict !== 'right'
  const isOdd = found.calendar?.verdict === 'wrong'
  if (!isWrong && !isOdd) return found
  if (isWrong && !depth.force) refuseToSpoil(found, found.audit)
  const repaired = isWrong ? { ...(await repairTotals(app, signal, lock?.require)), found: found.audit } : undefined
  const calendarRepaired = isOdd ? await repairCalendar(app, signal, lock?.require) : undefined
  return {
    ...(await examine(app, true, signal)),
    ...(repaired && { repaired }),
    ...(calendarRepaired !== undefined && { calendarRepaired }),
  }
}

/** Corrects global stats and leaderboards by the users' hashes. */
function repairTotals(app: App, signal: AbortSignal, lock: Lock['require'] | undefined): Promise<Repaired> {
  const action = { action: 'repair', by: operatingUser(), what: '{}' }
  return audited(
    app,
    action,
    () => repair(app, signal, lock),
    (done) => JSON.stringify(done, jsonValue),
  )
}

/** Sets the scores of days, weeks and months, and days that alone are wrong. @returns how many were set */
async function repairCalendar(app: App, signal: AbortSignal, lock: Lock['require'] | undefined): Promise<number> {
  const whatOf = ({ scores, daysSet }: CalendarCheck): string => JSON.stringify({ calendar: { scores, days: daysSet } })
  const action = { action: 'repair', by: operatingUser(), what: JSON.stringify({ calendar: {} }) }
  const { scores, daysSet } = await audited(app, action, () => checkCalendar(app, 'set', signal, lock), whatOf)
  return scores + daysSet
}

/** @throws OrdersError ORD_BOOKS where it looks as if the users' hashes were what is wrong: a repair takes them for the truth. */
function refuseToSpoil({ books, calendar }: Verification, { sums, wrongUsers, examples }: DeepCheck): void {
  const { counted, totals, unread } = books
  if (totals.orders === null || counted === null) {
    throw new OrdersError('ORD_BOOKS', `${unread.join(' ')} Nothing is repaired: fix that first.`)
  }
  if (!sums) return
  const { users, global, leaderboards } = sums
  const same = (one: Sum, other: Sum): boolean => one.orders === other.orders && one.minor === other.minor
  const othersAgree = same(global, leaderboards) && !same(users, global)
  if (users.orders === sums.counted && !othersAgree) {
    refuseOfAccount(sums, wrongUsers, calendar)
    return
  }
  const some = examples.slice(0, 5).map(({ user_id }) => user_id)
  const whose = `some users' own totals are wrong (of ${wrongUsers} that differ: ${some.join(', ')})`
  const text = `What was counted does not agree with the users' totals: it seems that ${whose}`
  const how =
    'With an archive orders rebuild --flip corrects them. Without one correct those users first, or use --force.'
  throw new OrdersError('ORD_BOOKS', `${text}. A repair would spread that. ${how}`)
}

/**
 * An account is on no leaderboard. So where no score is wrong, only the calendar can say which of the two revenues is.
 * @throws OrdersError ORD_BOOKS where it does not say that it is the one of the global stats
 */
function refuseOfAccount({ users, global, accounts }: DeepSums, wrongUsers: number, calendar?: CalendarCheck): void {
  const surplus = global.minor - users.minor
  if (isNoSum(accounts) || surplus === 0n || wrongUsers > 0 || calendar?.totals.missing?.minor === surplus) return
  const text = 'It is not known which is wrong: the revenue of the global stats, or that of the account of erased users'
  throw new OrdersError(
    'ORD_BOOKS',
    `${text}. Compare orders user ${accountName(0)} with the receipts of orders erase: if the account is right, use --force.`,
  )
}

async function examine(app: App, deep: boolean, signal: AbortSignal): Promise<Verification> {
  const books = await readBooks(app)
  const verdict = books.balanced === null ? 'undecided' : books.balanced ? 'right' : 'wrong'
  const incidents = await readIncidents(app.redis)
  if (!deep) return { verdict, books, incidents }
  const found = await deepCheck(app, signal)
  const calendar = app.config.calendar === 'on' ? await checkCalendar(app, 'check', signal) : undefined
  const ledger = await lossesOf(app, signal)
  const isWrong = ledger.length > 0 || found.verdict === 'wrong' || calendar?.verdict === 'wrong'
  const worst = isWrong ? 'wrong' : verdict
  const rest = found.verdict === 'right' ? (calendar?.verdict ?? 'right') : found.verdict
  return {
    verdict: worst === 'right' ? rest : worst,
    books,
    audit: found,
    ledger,
    incidents,
    ...(calendar && { calendar }),
  }
}

/** Books lost orders first if asked to, then verifies. */
export async function writeOffAndVerify(
  app: App,
  options: Depth & WriteOff,
  signal: AbortSignal,
): Promise<Verification> {
  if (!options['write-off']) return verify(app, options, signal)
  let orders = await writeOff(app, 'plan')
  if (options.yes && Object.keys(orders).length > 0) {
    const action = { action: 'write-off', by: operatingUser(), what: JSON.stringify(orders) }
    orders = await audited(app, action, () => writeOff(app, 'write'), JSON.stringify)
  }
  return { ...(await verify(app, options, signal)), writtenOff: { booked: options.yes, orders } }
}

/** JSON knows no bigint: sums beyond 2^53 are rounded. */
const jsonValue = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
