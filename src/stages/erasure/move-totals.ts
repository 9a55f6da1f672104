import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { addDays, firstOfMonth, lastOfMonth } from '../../calendar/dates.ts'
import { type Period, periodKinds, periodOf } from '../../calendar/periods.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { fieldsOf, monthsOf } from '../calendar.ts'
import { boardKey, boards } from '../leaderboard.ts'
import { numbering } from '../runner/effects.ts'
import { accountOf, movedField, userDigest } from './erasures.ts'

const run = defineScript(import.meta.url, z.array(z.string()))

type Scope = Pick<PartitionScope, 'redis' | 'keys'>

/** Numbers of a user that move, by the names of their keys. */
export interface Held {
  /** `orders` and `minor`; undefined if there are none. */
  readonly totals: { readonly orders: string; readonly minor: string } | undefined
  /** Months that have numbers, with the fields of each. */
  readonly months: ReadonlyMap<string, readonly string[]>
}

/** Reads what moves. Once the user is among the erased, no commit adds to it. */
export async function readHeld({ redis, keys }: Scope, userId: string): Promise<Held> {
  const [orders, minor] = await redis.hmget(keys.userStats(userId), 'order_count', 'total_spend_minor')
  const books = await redis.hkeys(keys.calendarBooks)
  const counted = books.flatMap((field) => /^(\d{4}-\d\d):orders$/.exec(field)?.[1] ?? [])
  const read = redis.pipeline()
  for (const month of counted) read.hkeys(keys.monthly(month, userId))
  const found = unwrapReplies(await read.exec()) as string[][]
  const months = counted.flatMap((month, at) => {
    const fields = found[at] ?? []
    return fields.length > 0 ? [[month, fields] as const] : []
  })
  const totals = orders || minor ? { orders: orders ?? '0', minor: minor ?? '0' } : undefined
  return { totals, months: new Map(months) }
}

/** Moves a user's numbers to the anonymous account: month by month, then those of all time. */
export async function moveTotals(scope: Scope, userId: string, { months }: Held): Promise<void> {
  for (const [month, fields] of months) await moveMonth(scope, userId, month, fields)
  const { keys } = scope
  const [own, account] = [keys.userStats(userId), keys.userStats(accountOf(keys))]
  const boardsOf = [
    { board: boardKey(keys, 'orders'), field: 'order_count', own: [own] },
    { board: boardKey(keys, 'spend'), field: 'total_spend_minor', own: [own] },
  ]
  await move(scope, userId, { hashes: [[own, account]], boards: boardsOf, moved: movedField(userDigest(userId)) })
}

async function moveMonth(scope: Scope, userId: string, month: string, fields: readonly string[]): Promise<void> {
  const { keys } = scope
  const account = accountOf(keys)
  const ranked = periodsIn(month).filter((period) => fields.includes(fieldsOf(period).orders))
  const boardsOf = ranked.flatMap((period) => {
    const own = monthsOf(period).map((one) => keys.monthly(one, userId))
    const { orders, spend } = fieldsOf(period)
    return boards.toReversed().map((board) => {
      return { board: boardKey(keys, board, period.name), field: board === 'orders' ? orders : spend, own }
    })
  })
  await move(scope, userId, {
    hashes: [[keys.monthly(month, userId), keys.monthly(month, account)]],
    boards: boardsOf,
  })
}

/** Returns all periods that have a day of the month. */
function periodsIn(month: string): Period[] {
  const periods = new Map<string, Period>()
  for (let day = firstOfMonth(month); day <= lastOfMonth(month); day = addDays(day, 1)) {
    for (const kind of periodKinds) periods.set(periodOf(kind, day).name, periodOf(kind, day))
  }
  return [...periods.values()]
}

interface Moving {
  readonly hashes: readonly (readonly [own: string, account: string])[]
  readonly boards: readonly {
    readonly board: string
    readonly field: string
    readonly own: readonly string[]
  }[]
  readonly moved?: string
}

async function move({ redis, keys }: Scope, userId: string, { hashes, boards, moved }: Moving): Promise<void> {
  const names = [keys.erased, keys.layoutKey, keys.compared]
  const numberIn = numbering(names)
  const plan = {
    hashes: hashes.map((pair) => pair.map(numberIn)),
    boards: boards.map(({ board, field, own }) => [numberIn(board), field, own.map(numberIn)]),
    moved,
  }
  await run(redis, names, [keys.layout, userId, JSON.stringify(plan)])
}
