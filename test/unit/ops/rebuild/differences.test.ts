import { expect, test } from 'vitest'
import { openDifferences } from '../../../../src/ops/rebuild/compare/packed.ts'
import { counterChanges } from '../../../../src/ops/rebuild/flip/counters.ts'
import { differenceOf } from '../../../../src/ops/reconcile/difference.ts'
import { withCalendar } from '../../../support/stages.ts'

const hash = (fields: Record<string, string>, ttl?: number) => ({ fields: new Map(Object.entries(fields)), ttl })

test('a hash lacks what its shadow has more, without what the shadow does not have yet', () => {
  const pair = { name: 'user:u', live: hash({ a: '7', b: '2' }), shadow: hash({ a: '5', b: '2', c: '1' }) }
  expect(differenceOf(pair, new Map([['a', 2]]))).toMatchObject({ add: new Map([['c', 1]]), isForeign: false })
  expect(differenceOf({ ...pair, shadow: hash({ a: '5', b: '2' }) }, new Map([['a', 2]]))).toBeUndefined()
})

test('what is no number is replaced, and a hash that the archive does not have is foreign', () => {
  const odd = differenceOf({ name: 'user:u', live: hash({ a: '1.5' }), shadow: hash({ a: '2' }) })
  expect(odd).toMatchObject({ odd: ['a'], add: new Map([['a', 2]]) })
  const foreign = differenceOf({ name: 'user:u', live: hash({ a: '3' }), shadow: hash({}) })
  expect(foreign).toMatchObject({ isForeign: true, add: new Map([['a', -3]]) })
  const text = { fields: undefined, ttl: undefined }
  expect(differenceOf({ name: 'user:u', live: text, shadow: hash({ a: '3' }) })).toMatchObject({ isReplaced: true })
})

test('fields of other stages are left alone, and an expiry is kept', () => {
  const owns = (field: string): boolean => field === 'a'
  const pair = { name: 'day:d', live: hash({ a: '1', other: '9' }), shadow: hash({ a: '2' }, 60) }
  expect(differenceOf(pair, undefined, { owns, now: 1_000_000 })).toMatchObject({
    add: new Map([['a', 1]]),
    expiresAt: 1_060,
  })
})

test('differences come back from their packed form as they were', () => {
  const more = { odd: ['b'], isReplaced: false, isForeign: false, expiresAt: 5 }
  const [one, other] = [1, 2].map((by) => ({
    key: `user:${by}`,
    add: new Map([
      ['a', by],
      ['b', -by],
    ]),
    ...more,
  }))
  const differences = openDifferences()
  for (const difference of [one, other]) if (difference) differences.set(difference)
  expect([...differences.values()]).toEqual([one, other])
  expect(differences.get('user:2')).toEqual(other)
  differences.delete('user:1')
  expect([[...differences.keys()], differences.has('user:1')]).toEqual([['user:2'], false])
})

const [, calendar, aggregate] = withCalendar.stages
const built = [calendar, aggregate].flatMap((stage) => stage ?? [])
const change = (lacks: number, surplus = 0, missed = 0, rejected = 0) => ({
  lacks,
  surplus,
  uncounted: new Map([
    ['calendar', { rejected, missed, lost: 0, missing: 0 }],
    ['aggregate', { rejected, missed: 0, lost: 0, missing: 0 }],
  ]),
})
const changes = (lacks: Record<string, number>, ...all: ReturnType<typeof change>[]) =>
  counterChanges(withCalendar, built, new Map(Object.entries(lacks)), all).map((one) => Object.fromEntries(one))

test('orders of another Redis count as received and admitted, by all stages', () => {
  expect(changes({ aggregate: 7, calendar: 7 }, change(3), change(2))).toEqual([
    { received: 5, admitted: 5, applied: 5, 'applied:corrections': 2, dated: 5, ranked: 5 },
    { received: 2, admitted: 2, applied: 2, dated: 2, ranked: 2 },
  ])
})

test('what a stage missed is taken from that, and a wrong total alone changes no counter', () => {
  expect(changes({ aggregate: 0, calendar: 4 }, change(0, 0, 3), change(-2, 2, 5))).toEqual([
    { 'calendar:missed': -3, dated: 3 },
    { 'calendar:missed': -1, dated: 1 },
  ])
})

test('what stages rejected is taken from that first, over all partitions, and is not received again', () => {
  expect(changes({ aggregate: 4, calendar: 6 }, change(2, 0, 3, 1), change(2, 0, 5, 3))).toEqual([
    {
      ...{ received: 1, admitted: 1, applied: 2, dated: 4, ranked: 2 },
      ...{ 'aggregate:rejected': -1, 'calendar:rejected': -1, 'calendar:missed': -2 },
    },
    {
      ...{ received: -1, admitted: -1, applied: 2, dated: 2, ranked: 2 },
      ...{ 'aggregate:rejected': -3, 'calendar:rejected': -3 },
    },
  ])
})
