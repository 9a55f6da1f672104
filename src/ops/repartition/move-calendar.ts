import type { Keys } from '../../keys.ts'
import { exactInteger } from '../../order/money.ts'
import { partitionFor } from '../../partitions.ts'
import { unwrapReplies } from '../../redis/client.ts'
import { startFields } from '../../stages/calendar-books.ts'
import { rankAll } from '../calendar/boards.ts'
import { keysOnce, readHashes } from '../scan.ts'
import { type Move, moveHashes } from './move.ts'

/** Day → field → amount, over all partitions. */
export type Days = Readonly<Record<string, Fields>>
type Fields = Readonly<Record<string, string>>

const monthLength = '2026-11'.length

/** Moves what users had in each month. @returns as moveHashes */
export function moveMonths(move: Move): Promise<number> {
  const prefixOf = (keys: Keys): string => keys.monthly('', '').slice(0, -1)
  return moveHashes(move, prefixOf, (source, names, hashes) => {
    const prefix = prefixOf(source)
    const moving = names.flatMap((name, at) => {
      const month = name.slice(prefix.length, prefix.length + monthLength)
      const userId = name.slice(prefix.length + monthLength + 1)
      const target = partitionFor(move.to, userId)
      const hash = hashes[at] ?? {}
      const copy = target.monthly(month, userId)
      return copy === name || Object.keys(hash).length === 0
        ? []
        : [{ name, copy, target, hash, expires: expiry(move, month) }]
    })
    const copies = [...Map.groupBy(moving, ({ target }) => target).values()].map((users) => {
      const written = move.redis.pipeline()
      for (const { copy, hash, expires } of users) written.hset(copy, hash).expireat(copy, expires)
      return written
    })
    const remove = () => move.redis.pipeline().unlink(...moving.map(({ name }) => name))
    return { moved: moving.length, copies, remove }
  })
}

const expiry = ({ format }: Move, month: string): number => format.calendar.periodsAt(`${month}-01`).month.expiresAt

/** Adds up the days of all partitions, before anything of them is changed. */
export async function sumDays(move: Move): Promise<Days> {
  const sums: Record<string, Record<string, bigint>> = {}
  for (const keys of move.from) {
    const names = await namesLike(move, keys, keys.day(''))
    const hashes = await readHashes(move.redis, names)
    for (const [at, name] of names.entries()) {
      const day = name.slice(keys.day('').length)
      const fields = sums[day] ?? {}
      sums[day] = fields
      for (const [field, value] of Object.entries(hashes[at] ?? {}))
        fields[field] = (fields[field] ?? 0n) + (exactInteger(value) ?? 0n)
    }
  }
  const texts = Object.entries(sums).map(([day, fields]) => {
    return [day, Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, String(value)]))] as const
  })
  return Object.fromEntries(texts)
}

/** Adds up the books of the calendar of all partitions, before anything of them is changed. */
export async function sumCalendarBooks({ redis, from }: Pick<Move, 'redis' | 'from'>): Promise<Fields> {
  const names = from.map(({ calendarBooks }) => calendarBooks)
  const all = (await Promise.all(names.map((name) => redis.hgetall(name)))) as Record<string, string>[]
  const sums: Record<string, bigint> = {}
  for (const [field, value] of all.flatMap(Object.entries<string>)) {
    const [one, other] = [sums[field] ?? 0n, exactInteger(value) ?? 0n]
    sums[field] = field === since ? (one > other ? one : other) : one + other
  }
  // Where it has not begun in some partition, what came before is asked again when it begins.
  if (all.some((books) => !(since in books))) for (const field of startFields) delete sums[field]
  return Object.fromEntries(Object.entries(sums).map(([field, value]) => [field, String(value)]))
}

const since: (typeof startFields)[number] = 'since'

/** Writes the books of the calendar next to the days: all into the first partition. */
async function writeCalendarBooks({ redis, to }: Move, books: Fields): Promise<void> {
  for (const [at, { calendarBooks }] of to.entries()) {
    const begun = since in books ? Object.fromEntries(startFields.map((field) => [field, '0'])) : {}
    const own = at === 0 ? books : { ...begun, ...(since in books && { since: books[since] }) }
    const write = redis.multi().del(calendarBooks)
    if (Object.keys(own).length > 0) write.hset(calendarBooks, own)
    unwrapReplies(await write.exec())
  }
}

/**
 * Writes the days into the first partition, since their amounts are no user's, and ranks the users of each partition in the
 * periods that are kept. Deletes the days and the leaderboards of periods that were there.
 */
export async function writeCalendar(move: Move, days: Days, books: Fields): Promise<void> {
  const { redis, to, alive } = move
  const [first] = to
  for (const keys of new Set([...move.from, ...to])) {
    await alive()
    const before = [...(await namesLike(move, keys, keys.day(''))), ...(await boardNames(move, keys))]
    if (before.length > 0) await redis.unlink(...before)
  }
  for (const [day, fields] of Object.entries(days)) {
    if (!first || Object.keys(fields).length === 0) continue
    const key = first.day(day)
    unwrapReplies(
      await redis
        .multi()
        .hset(key, fields)
        .expireat(key, expiry(move, day.slice(0, monthLength)))
        .exec(),
    )
  }
  await writeCalendarBooks(move, books)
  for (const keys of to) await rankAll({ ...move, now: () => new Date() }, keys, 'set')
}

async function namesLike(move: Move, keys: Keys, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(keysOnce(move, keys, prefix))).flat()
}

/** Lists the leaderboards of periods: their names have a part more than those of all orders. */
async function boardNames(move: Move, keys: Keys): Promise<string[]> {
  const [prefix = '', end = ''] = keys.periodBoard('\0', '').split('\0')
  const names = await namesLike(move, keys, prefix)
  return names.filter((name) => /^\d{4}-/.test(name.slice(prefix.length)) && name.slice(prefix.length).includes(end))
}
