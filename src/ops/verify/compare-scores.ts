import type { CountedRecord } from '../../messages.ts'
import { minorText } from '../../money.ts'
import type { Sum } from './counted-feed.ts'
import type { Account, AccountsAt } from './user-totals.ts'

/** What the books in detail came to; `undecided` where nothing wrong was found and not all could be compared. */
export interface Audit {
  readonly verdict: 'right' | 'wrong' | 'undecided'
  readonly users: number
  /** All of one moment. Undefined where it could not be told. */
  readonly sums?: { readonly users: Sum; readonly global: Sum; readonly leaderboards: Sum }
  readonly wrongUsers: number
  /** The first `mostExamples` of them. */
  readonly examples: readonly WrongUser[]
  readonly undecidedUsers: number
  /** One plain sentence each. */
  readonly differences: readonly string[]
}

/** Minor units and orders; null where there is no hash that can be read, or no score. */
export interface WrongUser {
  readonly user_id: string
  readonly order_count: number | null
  readonly total_spend_minor: bigint | null
  readonly score_orders: number | null
  readonly score_spend_minor: number | null
}

export const mostExamples = 1_000

/** Totals after the moment of the accounts, by user id. */
export type Later = Map<string, Pick<CountedRecord, 'order_count' | 'total_spend_minor'>[]>

/** Both leaderboards, by user id. */
export interface Scores {
  readonly spend: ReadonlyMap<string, number>
  readonly orders: ReadonlyMap<string, number>
}

export interface Seen {
  readonly later: Later
  readonly scores: Scores
  /** Users with records that the leaderboard has not finished. */
  readonly waiting: ReadonlySet<string>
}

/** Compares what was read: the accounts of one moment with the global stats of that moment and with all scores. */
export function compare({ accounts, moment, unreadable }: AccountsAt, seen: Seen): Audit {
  const users = sumOf(accounts.values())
  const leaderboards = { orders: 0n, minor: 0n }
  const wrong: WrongUser[] = []
  let [wrongUsers, undecidedUsers] = [0, 0]
  const { spend, orders } = seen.scores
  for (const userId of new Set([...accounts.keys(), ...spend.keys(), ...orders.keys()])) {
    const judged = judge(userId, accounts.get(userId), seen)
    leaderboards.orders += judged.atMoment.orders
    leaderboards.minor += judged.atMoment.minor
    if (judged.verdict === 'undecided') undecidedUsers++
    if (judged.verdict !== 'wrong') continue
    wrongUsers++
    if (wrong.length < mostExamples) wrong.push(wrongUser(userId, accounts.get(userId), seen.scores))
  }
  const { global } = moment
  const differences = [
    ...(isSame(users, global)
      ? []
      : [`The users' hashes add up to ${told(users)}; the global stats say ${told(global)}.`]),
    ...(wrongUsers === 0 ? [] : [`${wrongUsers} users' scores are not those of their totals.`]),
    ...(unreadable.length === 0
      ? []
      : [`${unreadable.length} users' hashes hold no totals: ${unreadable.slice(0, 20).join(', ')}.`]),
  ]
  const stuck = `${undecidedUsers} users could not be compared: the leaderboard stands still before records of theirs.`
  return {
    verdict: differences.length > 0 ? 'wrong' : undecidedUsers > 0 ? 'undecided' : 'right',
    users: accounts.size,
    sums: { users, global, leaderboards },
    wrongUsers,
    examples: wrong,
    undecidedUsers,
    differences: undecidedUsers === 0 ? differences : [...differences, stuck],
  }
}

/** The audits of two partitions as one. */
export function together(one: Audit, other: Audit): Audit {
  const verdicts = [one.verdict, other.verdict]
  const sums = one.sums && other.sums && { one: one.sums, other: other.sums }
  return {
    verdict:
      verdicts.find((verdict) => verdict === 'wrong') ?? verdicts.find((verdict) => verdict !== 'right') ?? 'right',
    users: one.users + other.users,
    ...(sums && {
      sums: {
        users: plus(sums.one.users, sums.other.users),
        global: plus(sums.one.global, sums.other.global),
        leaderboards: plus(sums.one.leaderboards, sums.other.leaderboards),
      },
    }),
    wrongUsers: one.wrongUsers + other.wrongUsers,
    examples: [...one.examples, ...other.examples].slice(0, mostExamples),
    undecidedUsers: one.undecidedUsers + other.undecidedUsers,
    differences: [...one.differences, ...other.differences],
  }
}

export const plus = (one: Sum, other: Sum): Sum => ({
  orders: one.orders + other.orders,
  minor: one.minor + other.minor,
})

function wrongUser(userId: string, account: Account | undefined, { spend, orders }: Scores): WrongUser {
  return {
    user_id: userId,
    order_count: account?.orders ?? null,
    total_spend_minor: account?.minor ?? null,
    score_orders: orders.get(userId) ?? null,
    score_spend_minor: spend.get(userId) ?? null,
  }
}

interface Judged {
  readonly verdict: Audit['verdict']
  /** What the scores stand for at the moment: the user's totals where they are right, else what they are. */
  readonly atMoment: Sum
}

function judge(userId: string, account: Account | undefined, { later, scores, waiting }: Seen): Judged {
  const records = later.get(userId) ?? []
  const orders = standing(
    scores.orders.get(userId),
    account?.orders,
    records.map(({ order_count }) => order_count),
  )
  const minors = records.map(({ total_spend_minor }) => total_spend_minor)
  const spend = standing(scores.spend.get(userId), account && Number(account.minor), minors)
  const atMoment = { orders: orders.at ?? BigInt(account?.orders ?? 0), minor: spend.at ?? account?.minor ?? 0n }
  const stands = [orders.stands, spend.stands]
  if (stands.every((stand) => stand === 'right')) return { verdict: 'right', atMoment }
  const undecided = waiting.has(userId) && !stands.includes('wrong')
  return { verdict: undecided ? 'undecided' : 'wrong', atMoment }
}

/**
 * Whether a score is the total at the moment or one that came later; `behind` where it may become one.
 * `at` is the score where it is not right: what it stands for is nothing else.
 */
function standing(
  score: number | undefined,
  total: number | undefined,
  later: readonly number[],
): { stands: 'right' | 'behind' | 'wrong'; at?: bigint } {
  if (score === total || (score === undefined ? total === undefined : later.includes(score))) return { stands: 'right' }
  const at = Number.isFinite(score) ? BigInt(Math.round(score ?? 0)) : 0n
  return { stands: score === undefined || score < Math.max(total ?? 0, ...later) ? 'behind' : 'wrong', at }
}

export function sumOf(accounts: Iterable<Account>): Sum {
  let [orders, minor] = [0n, 0n]
  for (const account of accounts) {
    orders += BigInt(account.orders)
    minor += account.minor
  }
  return { orders, minor }
}

const isSame = (one: Sum, other: Sum): boolean => one.orders === other.orders && one.minor === other.minor

const told = ({ orders, minor }: Sum): string => `${orders} orders and ${minorText(Number(minor))}`
