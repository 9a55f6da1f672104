import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Sum } from '../../order/money.ts'
import { defineScript } from '../../redis/script.ts'
import type { WrongMonth } from './totals.ts'

const add = defineScript(import.meta.url, z.int())

/** A day of a month, and by how much its orders and revenue are too low. */
export interface Lack {
  readonly day: string
  readonly lacks: Sum
}

/**
 * Adds to days of a month what they lack, unless the month has changed since it was read.
 * @returns how many were set
 */
export function setDays({ redis, format }: App, month: WrongMonth, lacking: readonly Lack[]): Promise<number> {
  const { keys, dayNames, days, counted } = month
  const names = [keys.calendarBooks, keys.rebuildProgress, ...dayNames.map((day) => keys.day(day))]
  const { expiresAt } = format.calendar.periodsAt(`${month.month}-01`).month
  const sums = [days, counted].flatMap(({ orders, minor }) => [String(orders), String(minor)])
  const lacks = lacking.flatMap(({ day, lacks: { orders, minor } }) => {
    return [names.indexOf(keys.day(day)) + 1, String(orders), String(minor)]
  })
  return add(redis, names, [month.month, ...sums, expiresAt, ...lacks])
}
