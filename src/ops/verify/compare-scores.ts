import type { CountedRecord } from '../../messages.ts'
import { addSums, type Money, type Sum } from '../../order/money.ts'
import { isAccount } from '../../stages/erasure/account.ts'
import { isRanked } from '../../stages/leaderboard.ts'
import type { UserTotals, UserTotalsAt } from './user-totals.ts'

/** Result of a deep check; `undecided` if nothing wrong was found but not every user could be compared. */
export interface DeepCheck {
  readonly verdict: 'right' | 'wrong' | 'undecided'
  readonly users: number
  /** All at one moment. Undefined if it could not be determined. */
  readonly sums?: DeepSums
  readonly wrongUsers: number
  /** The first `maxExamples` of them. */
  readonly examples: readonly WrongUser[]
  readonly undecidedUsers: number
  /** One plain sentence each. */
  readonly differences: readonly string[]
}

/** Sums of all of them. */
export interface DeepSums {
  /** Orders, by the counters. */
  readonly counted: bigint
  readonly users: Sum
  readonly global: Sum
  /** Of the users' scores, and of the accounts, which have none. */
  readonly leaderboards: Sum
  /** The part of the users that is of erased ones. */
  readonly accounts: Sum
}

/** Minor units and orders; null where there is no readable hash, or no score. */
export interface WrongUser {
  readonly user_id: string
  readonly order_count: number | null
  readonly total_spend_minor: bigint | null
  readonly score_orders: number | null
  readonly score_spend_minor: number | null
}

export const maxExamples = 1_000

type TotalsThen = Pick<CountedRecord, 'order_count' | 'total_spend_minor'>

/** Totals that were counted after the moment, by user id. */
export type Later = Map<string, TotalsThen[]>

/** Both leaderboards, by user id. */
export interface Scores {
  readonly spend: ReadonlyMap<string, number>
  readonly orders: ReadonlyMap<string, number>
}

export interface Observed {
  readonly later: Later
  readonly scores: Scores
  /** Users with records that the leaderboard has not committed yet. */
  readonly waiting: ReadonlySet<string>
}

/** Compares the users' totals at one moment with the global stats at that moment and with all scores. */
export function compareScores(
  { totals, moment, unreadable }: UserTotalsAt,
  observed: Observed,
  money: Money,
): DeepCheck {
  const users = sumOf(totals.values())
  const accounts = sumOf([...totals].flatMap(([userId, one]) => (isAccount(userId) ? [one] : [])))
  const leaderboards = { orders: 0n, minor: 0n }
  const wrong: WrongUser[] = []
  let [wrongUsers, undecidedUsers] = [0, 0]
  const { spend, orders } = observed.scores
  for (const userId of new Set([...totals.keys(), ...spend.keys(), ...orders.keys()])) {
    const judged = judge(userId, totals.get(userId), observed)
    leaderboards.orders += judged.atMoment.orders
    leaderboards.minor += judged.atMoment.minor
    if (judged.verdict === 'undecided') undecidedUsers++
    if (judged.verdict !== 'wrong') continue
    wrongUsers++
    if (wrong.length < maxExamples) wrong.push(wrongUser(userId, totals.get(userId), observed.scores))
  }
  const { global } = moment
  const differences = [
    ...(isSame(users, global)
      ? []
      : [`The users' hashes add up to ${sumText(users, money)}; the global stats say ${sumText(global, money)}.`]),
    ...(wrongUsers === 0 ? [] : [`${wrongUsers} users' scores are not those of their totals.`]),
    ...(unreadable.length === 0
      ? []
      : [`${unreadable.length} users' hashes hold no totals: ${unreadable.slice(0, 20).join(', ')}.`]),
  ]
  const stalled = `${undecidedUsers} users could not be compared: the leaderboard has stalled before records of theirs. Start it, and run it again.`
  return {
    verdict: differences.length > 0 ? 'wrong' : undecidedUsers > 0 ? 'undecided' : 'right',
    users: totals.size,
    sums: { counted: moment.counted, users, global, leaderboards, accounts },
    wrongUsers,
    examples: wrong,
    undecidedUsers,
    differences: undecidedUsers === 0 ? differences : [...differences, stalled],
  }
}

/** Merges the checks of two partitions. */
export function mergeChecks(one: DeepCheck, other: DeepCheck): DeepCheck {
  const verdicts = [one.verdict, other.verdict]
  const sums = one.sums && other.sums && { one: one.sums, other: other.sums }
  return {
    verdict:
      verdicts.find((verdict) => verdict === 'wrong') ?? verdicts.find((verdict) => verdict !== 'right') ?? 'right',
    users: one.users + other.users,
    ...(sums && {
      sums: {
        counted: sums.one.counted + sums.other.counted,
        users: addSums(sums.one.users, sums.other.users),
        global: addSums(sums.one.global, sums.other.global),
        leaderboards: addSums(sums.one.leaderboards, sums.other.leaderboards),
        accounts: addSums(sums.one.accounts, sums.other.accounts),
      },
    }),
    wrongUsers: one.wrongUsers + other.wrongUsers,
    examples: [...one.examples, ...other.examples].slice(0, maxExamples),
    undecidedUsers: one.undecidedUsers + other.undecidedUsers,
    differences: [...one.differences, ...other.differences],
  }
}

function wrongUser(userId: string, own: UserTotals | undefined, { spend, orders }: Scores): WrongUser {
  return {
    user_id: userId,
    order_count: own?.orders ?? null,
    total_spend_minor: own?.minor ?? null,
    score_orders: orders.get(userId) ?? null,
    score_spend_minor: spend.get(userId) ?? null,
  }
}

interface Judged {
  readonly verdict: DeepCheck['verdict']
  /** The current value of the scores: the user's totals if they are right, else the scores themselves. */
  readonly atMoment: Sum
}

function judge(userId: string, own: UserTotals | undefined, { later, scores, waiting }: Observed): Judged {
  const atMoment = own ? { order_count: own.orders, total_spend_minor: Number(own.minor) } : nothing
  const states = [atMoment, ...(later.get(userId) ?? [])]
  const [orders, spend] = [scores.orders.get(userId), scores.spend.get(userId)]
  const isRight = {
    orders: states.some((state) => orders === scoreOf(userId, state, state.order_count)),
    spend: states.some((state) => spend === scoreOf(userId, state, state.total_spend_minor)),
  }
  return {
    verdict: isRight.orders && isRight.spend ? 'right' : waiting.has(userId) ? 'undecided' : 'wrong',
    atMoment: {
      orders: isRight.orders ? BigInt(own?.orders ?? 0) : whole(orders),
      minor: isRight.spend ? (own?.minor ?? 0n) : whole(spend),
    },
  }
}

/** The totals of a user without a hash. */
const nothing = { order_count: 0, total_spend_minor: 0 }

/** Returns the score of a user with these totals. */
const scoreOf = (userId: string, { order_count }: TotalsThen, total: number): number | undefined =>
  isRanked(order_count) && !isAccount(userId) ? total : undefined

const whole = (score = 0): bigint => (Number.isFinite(score) ? BigInt(Math.round(score)) : 0n)

export function sumOf(totals: Iterable<UserTotals>): Sum {
  let [orders, minor] = [0n, 0n]
  for (const one of totals) {
    orders += BigInt(one.orders)
    minor += one.minor
  }
  return { orders, minor }
}

const isSame = (one: Sum, other: Sum): boolean => one.orders === other.orders && one.minor === other.minor

const sumText = ({ orders, minor }: Sum, { minorText }: Money): string =>
  `${orders} orders and ${minorText(Number(minor))}`
