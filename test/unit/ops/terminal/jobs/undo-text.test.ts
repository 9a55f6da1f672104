import { expect, test } from 'vitest'
import type { BlastRadius } from '../../../../../src/control/undo/undos.ts'
import { radiusLines } from '../../../../../src/ops/terminal/jobs/undo-text.ts'
import { plainFormat } from '../../../../support/plain-format.ts'

const ranks = Array.from({ length: 10 }, (_, at) => ({ user_id: `u${at}`, from: at + 1, to: at === 9 ? null : at + 2 }))
const none = { erased: 0, forgotten: 0, undone_before: 0, admitted_again: 0, other_corrections: 0 }
const radius: BlastRadius = {
  ...{ orders: 1_200, users: 99, revenue: 50, ...none },
  ...{ days: [{ day: '2026-11-30', orders: 1_200, revenue: 50 }], ranks_changed: 99, ranks },
}

test('the values stand behind their labels, and ranks that are not shown are counted', () => {
  const lines = radiusLines(radius, plainFormat)
  expect(lines.slice(0, 5)).toEqual([
    'orders      1,200',
    'users       99',
    'revenue     50.00',
    'ranks       99 of the top 100 by spend change',
    '            u0: 1 to 2',
  ])
  expect(lines.slice(13)).toEqual([
    '            u9: 10 to none',
    '            and 89 more',
    '2026-11-30  1,200 orders, 50.00',
  ])
})

test('a radius that is kept says that it names no user', () => {
  expect(radiusLines({ ...radius, days: [], ranks: [] }, plainFormat)).toEqual([
    'orders   1,200',
    'users    99',
    'revenue  50.00',
    'ranks    99 of the top 100 by spend change; who they are is not kept',
  ])
})
