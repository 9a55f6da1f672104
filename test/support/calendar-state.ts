import type { Redis } from 'ioredis'
import { type CalendarOracle, plus, type Sums, weekOf } from './calendar-oracle.ts'

/** Every number of a calendar, by its key and field: those of hashes that are not 0, and the scores of leaderboards. */
export type CalendarState = Readonly<Record<string, string>>

export const boards = ['orders', 'spend'] as const
export const scoreOf = ({ orders, cents }: Sums, by: (typeof boards)[number]): bigint | number =>
  by === 'orders' ? orders : cents

/** Returns the numbers that Redis must hold. */
export function expectedState(calendar: CalendarOracle): CalendarState {
  const state: Record<string, string> = {}
  const put = (key: string, field: string, value: bigint | number): void => {
    if (Number(value) !== 0) state[`${key} ${field}`] = `${value}`
  }
  for (const [day, sums] of calendar.days) {
    for (const [field, value] of Object.entries(sums)) put(`day:${day}`, field, value)
  }
  for (const [user, days] of calendar.users) {
    const fields = new Map<string, Sums>()
    for (const [day, sums] of days) {
      for (const part of [`${day.slice(8)}:`, `${weekOf(day).slice(5)}:`, '']) {
        const field = `monthly:${day.slice(0, 7)}:${user} ${part}`
        fields.set(field, plus(fields.get(field), sums))
      }
    }
    for (const [field, sums] of fields) {
      for (const by of boards) if (Number(scoreOf(sums, by)) !== 0) state[field + by] = `${scoreOf(sums, by)}`
    }
  }
  for (const [period, users] of calendar.periods()) {
    for (const [user, sums] of users) {
      for (const by of sums.orders > 0 ? boards : []) {
        state[`leaderboard:${period}:${by} ${user}`] = `${scoreOf(sums, by)}`
      }
    }
  }
  return state
}

/** Reads the numbers that Redis holds, summed over its partitions. @param keys names of all keys */
export async function readState(redis: Redis, keys: readonly string[]): Promise<CalendarState> {
  const state: Record<string, string> = {}
  const read = async (key: string): Promise<void> => {
    const name = key.replace(/^\{p\d+\}:/, '')
    if (/^leaderboard:\d/.test(name)) {
      const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES')
      for (let at = 0; at < flat.length; at += 2) state[`${name} ${flat[at]}`] = `${flat[at + 1]}`
    } else if (/^(day|monthly):/.test(name)) {
      for (const [field, value] of Object.entries(await redis.hgetall(key))) {
        const sum = BigInt(state[`${name} ${field}`] ?? 0) + BigInt(value)
        if (sum === 0n) delete state[`${name} ${field}`]
        else state[`${name} ${field}`] = `${sum}`
      }
    }
  }
  await Promise.all(keys.map(read))
  return state
}

/** Returns in words each number that differs. */
export function stateDifferences(found: CalendarState, expected: CalendarState): string[] {
  const names = new Set([...Object.keys(found), ...Object.keys(expected)])
  return [...names].flatMap((name) => {
    return found[name] === expected[name] ? [] : [`${name}: ${found[name]}, should be ${expected[name]}`]
  })
}
