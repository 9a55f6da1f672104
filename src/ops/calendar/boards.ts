import type { App } from '../../app.ts'
import { isDay } from '../../calendar/dates.ts'
import { type PeriodKind, readPeriod } from '../../calendar/periods.ts'
import type { Keys } from '../../keys.ts'
import { exactInteger, noSum, type Sum } from '../../order/money.ts'
import { rankIn } from '../../stages/calendar.ts'
import { boards } from '../../stages/leaderboard.ts'
import type { Effect } from '../../stages/stage.ts'
import { checkScores, type WrongScore } from '../reconcile/scores.ts'
import { keysLike, keysOnce, membersOf, readHashes, type Scanning } from '../scan.ts'

/** Results of one partition. */
export interface Ranked {
  readonly wrong: readonly WrongScore[]
  /** By day: the sums of all users. */
  readonly days: ReadonlyMap<string, Sum>
  /** Names of the hashes of the users' months. */
  readonly users: ReadonlySet<string>
}

type Scope = Pick<App, 'format' | 'now'> & Scanning

/**
 * Compares the leaderboards of all kept periods of a partition with the users' own values, and sets those that are wrong if
 * asked to. The stage may work meanwhile: each user is compared at one moment.
 * @param scope may name effects to leave out
 */
export async function rankAll(
  scope: Scope & { readonly leavesOut?: (effect: Effect) => boolean },
  keys: Keys,
  mode: 'check' | 'set',
): Promise<Ranked> {
  const days = new Map<string, Sum>()
  const wrong = new Map<string, WrongScore>()
  const { redis, leavesOut = () => false } = scope
  const ranked = async (all: readonly Effect[]): Promise<void> => {
    const effects = all.filter((effect) => !leavesOut(effect))
    for (const one of await checkScores(redis, effects, mode)) wrong.set(`${one.board} ${one.userId}`, one)
  }
  const prefix = keys.monthly('', '').slice(0, -1)
  const users = new Set<string>()
  for await (const names of keysOnce(scope, keys, prefix)) {
    for (const name of names) users.add(name)
    const hashes = await readHashes(redis, names)
    const effects = names.flatMap((name, at) => {
      const fields = hashes[at] ?? {}
      addToDays(days, name.slice(prefix.length, prefix.length + 7), fields)
      return ranksOfMonth(scope, keys, name, Object.keys(fields))
    })
    await ranked(effects)
  }
  for (const period of await boardPeriods(scope, keys)) {
    for (const board of boards) {
      for await (const members of membersOf(scope, keys.periodBoard(period, board)))
        await ranked(members.flatMap((userId) => rankOf(scope, keys, period, userId)))
    }
  }
  return { wrong: [...wrong.values()], days, users }
}

/** Returns the effects that rank a user in the periods of some fields of a hash of a month. @param name of the hash */
export function ranksOfMonth(
  scope: Pick<App, 'format' | 'now'>,
  keys: Keys,
  name: string,
  fields: readonly string[],
): Effect[] {
  const prefix = keys.monthly('', '').slice(0, -1)
  const [month, userId] = [name.slice(prefix.length, prefix.length + 7), name.slice(prefix.length + 8)]
  return fields.flatMap((field) => rankOf(scope, keys, periodOf(field, month), userId))
}

/** Returns the period whose orders a field of a user's month has; undefined for other fields. */
function periodOf(field: string, month: string): string | undefined {
  if (field === 'orders') return month
  const [, day] = /^(\d\d):orders$/.exec(field) ?? []
  if (day !== undefined) return `${month}-${day}`
  const [, week] = /^(W\d\d):orders$/.exec(field) ?? []
  if (week === undefined) return undefined
  // The first days of January may be in the last week of the year before, the last ones of December in the first of the next.
  const [year, of] = [Number(month.slice(0, 4)), month.slice(5)]
  const shift = of === '01' && week >= 'W52' ? -1 : of === '12' && week === 'W01' ? 1 : 0
  return `${year + shift}-${week}`
}

/** Returns the effects that rank a user in a period, if its leaderboards are kept. */
function rankOf(
  { format: { calendar }, now }: Pick<App, 'format' | 'now'>,
  keys: Keys,
  name: string | undefined,
  userId: string,
): Effect[] {
  const today = calendar.dayAt(now().getTime())
  const period = name === undefined ? undefined : readPeriod(name, today)
  if (!period || !calendar.settings.periods.includes(period.kind)) return []
  if (period.from < calendar.keptFrom(period.kind, today)) return []
  return rankIn(keys, calendar.periodsAt(period.from)[period.kind as PeriodKind], userId)
}

function addToDays(days: Map<string, Sum>, month: string, fields: Readonly<Record<string, string>>): void {
  for (const [field, value] of Object.entries(fields)) {
    const [, date, what] = /^(\d\d):(orders|spend)$/.exec(field) ?? []
    const day = `${month}-${date}`
    if (!isDay(day)) continue
    const { orders, minor } = days.get(day) ?? noSum
    const by = exactInteger(value) ?? 0n
    days.set(day, what === 'orders' ? { orders: orders + by, minor } : { orders, minor: minor + by })
  }
}

/** Lists the periods that have leaderboards. */
async function boardPeriods(scanning: Scanning, keys: Keys): Promise<string[]> {
  const [begin = '', end = ''] = keys.periodBoard('\0', 'orders').split('\0')
  const periods = new Set<string>()
  for await (const names of keysLike(scanning, keys, begin)) {
    for (const name of names) if (name.endsWith(end)) periods.add(name.slice(begin.length, -end.length))
  }
  return [...periods]
}
