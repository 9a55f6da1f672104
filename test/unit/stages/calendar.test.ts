import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { makeKeys } from '../../../src/keys.ts'
import type { ValidRecord } from '../../../src/messages.ts'
import { formatOf } from '../../../src/order/format.ts'
import type { Effect } from '../../../src/stages/stage.ts'
import { calendar } from '../../support/stages.ts'

const keys = makeKeys()
const times = { sentMs: Date.parse('2026-11-28T12:00:00Z'), atMs: Date.parse('2026-11-30T12:00:00Z') }

function effectsOf(record: Partial<ValidRecord>, env: Record<string, string> = {}): readonly Effect[] {
  const order = { user_id: 'u', order_id: 'o', minor: 150, ...record }
  const verdict = calendar.decide(
    order,
    keys,
    formatOf(readConfig({ REPORT_TIMEZONE: 'Europe/Berlin', ...env })),
    times,
  )
  return 'effects' in verdict ? verdict.effects : []
}

const added = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'hincrby' ? [`${effect.key} ${effect.field} ${effect.by}`] : []))
const ranked = (effects: readonly Effect[]) => effects.flatMap((effect) => (effect.kind === 'rank' ? [effect] : []))

test('an order counts on the day of its own time, in the zone, and for its user in the periods of this day', () => {
  const effects = effectsOf({ order_timestamp: '2026-11-24T23:30:00Z' })
  expect(added(effects)).toEqual([
    'day:2026-11-25 orders 1',
    'day:2026-11-25 revenue 150',
    ...['pipeline:calendar 2026-11:orders 1', 'pipeline:calendar 2026-11:revenue 150'],
    ...['monthly:2026-11:u 25:orders 1', 'monthly:2026-11:u 25:spend 150'],
    ...['monthly:2026-11:u W48:orders 1', 'monthly:2026-11:u W48:spend 150'],
    ...['monthly:2026-11:u orders 1', 'monthly:2026-11:u spend 150'],
  ])
  expect(ranked(effects).map(({ boards }) => boards.map(({ board, fields }) => `${board} ${fields}`))).toEqual([
    ['leaderboard:2026-11-25:orders 25:orders', 'leaderboard:2026-11-25:spend 25:spend'],
    ['leaderboard:2026-W48:orders W48:orders', 'leaderboard:2026-W48:spend W48:spend'],
    ['leaderboard:2026-11:orders orders', 'leaderboard:2026-11:spend spend'],
  ])
})

test('a week is ranked by its days of both months', () => {
  const [, week] = ranked(effectsOf({ order_timestamp: '2026-11-30' }))
  expect(week?.hashes).toEqual(['monthly:2026-11:u', 'monthly:2026-12:u'])
})

test.each([
  ['cancelled', -150, ['orders -1', 'revenue -150', 'cancelled 150']],
  ['refunded', -40, ['orders 0', 'revenue -40', 'refunded 40']],
  ['amended', 25, ['orders 0', 'revenue 25']],
] as const)('an order that is %s changes the day of the correction', (correction, minor, expected) => {
  const effects = effectsOf({ correction, minor, order_timestamp: '2026-11-29' })
  const ofDay = added(effects).filter((text) => text.startsWith('day:'))
  expect(ofDay).toEqual(expected.map((text) => `day:2026-11-29 ${text}`))
})

test.each([
  [undefined, 'undated'],
  ['1999-12-31', 'misdated'],
])('an order of the time %s counts as %s on the day it was sent', (order_timestamp, field) => {
  expect(added(effectsOf({ order_timestamp }))).toEqual(
    expect.arrayContaining(['day:2026-11-28 orders 1', `day:2026-11-28 ${field} 1`]),
  )
})

test('only the chosen periods are ranked; the days of a user are kept in any case', () => {
  const effects = effectsOf({ order_timestamp: '2026-11-25' }, { CALENDAR_PERIODS: 'month' })
  expect(ranked(effects)).toHaveLength(1)
  expect(added(effects).slice(4)).toEqual([
    ...['monthly:2026-11:u 25:orders 1', 'monthly:2026-11:u 25:spend 150'],
    ...['monthly:2026-11:u orders 1', 'monthly:2026-11:u spend 150'],
  ])
})
