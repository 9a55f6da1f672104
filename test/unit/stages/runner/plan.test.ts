import { describe, expect, test } from 'vitest'
import { makeKeys } from '../../../../src/keys.ts'
import { userTotals } from '../../../../src/messages.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { encodeCommit } from '../../../../src/stages/runner/encode.ts'
import { decodeEntry, type Entry } from '../../../../src/stages/runner/entry.ts'
import { type Plan, planBatch } from '../../../../src/stages/runner/plan.ts'
import { hincrby, pass, rank, reject, type Standing } from '../../../../src/stages/stage.ts'
import { plainFormat } from '../../../support/plain-format.ts'
import { withFraud } from '../../../support/sample-stages.ts'
import { aggregate, definitions, shipped as pipeline, place, validate } from '../../../support/stages.ts'

const keys = makeKeys()
const failures: string[] = []

function entryOf(
  stage: Stage,
  id: string,
  records: readonly object[],
  more: Readonly<Record<string, string>> = {},
): Entry {
  const fields = Object.entries({ n: `${records.length}`, r: JSON.stringify(records), ...more }).flat()
  return decodeEntry(
    pipeline,
    id,
    fields.map((field) => Buffer.from(field)),
    stage.from,
  )
}

function planOf(stage: Stage, entries: readonly Entry[], known = new Map()): Plan {
  failures.length = 0
  const onDecideFailed = (entryId: string, error: unknown): void => void failures.push(`${entryId} ${error}`)
  const channel = pipeline.channel(stage.from)
  return planBatch({ stage, channel, keys, format: plainFormat, now: new Date(0), known, onDecideFailed }, entries)
}

const raw = (id: string, order: object | string) => ({
  id,
  body: typeof order === 'string' ? order : JSON.stringify(order),
})
const order = (order_id: string, order_value = 10, user_id = 'u') => ({ user_id, order_id, order_value })
const valid = (user_id: string, minor: number) => ({ user_id, order_id: 'o', minor })
const mapOf = (groups: Plan['hashes']) =>
  Object.fromEntries([...groups].map(([key, of]) => [key, Object.fromEntries(of)]))

describe('a batch of the first stage', () => {
  test('emits the orders that pass, and rejects the others with their reason and user', () => {
    const plan = planOf(validate, [
      entryOf(validate, '1-1', [raw('a', order('1')), raw('b', { user_id: 'v' })], { c: '1' }),
    ])
    expect(plan).toMatchObject({ entryIds: ['1-1'], orders: 1, found: 0 })
    expect(plan.emits.map(({ text }) => JSON.parse(text))).toEqual([{ user_id: 'u', order_id: '1', minor: 1_000 }])
    expect(plan.emits[0]?.admitted).toMatchObject({ line: { name: 'order 1 u1', userId: 'u' } })
    expect(plan.rejects).toMatchObject([
      { group: 'missing-field:order_id', orders: 1, message: 'b {"user_id":"v"}', userId: 'v' },
    ])
  })

  test('orders of an entry without field c are found; those of an entry that is no batch are rejected whole', () => {
    const odd = entryOf(validate, '2-0', [], { n: '12000', c: '1' })
    const plan = planOf(validate, [entryOf(validate, '1-0', [raw('a', order('1')), raw('b', '{')]), odd])
    expect(plan).toMatchObject({ entryIds: ['1-0', '2-0'], orders: 1, found: 2 })
    expect(plan.rejects.map(({ orders, message }) => [orders, message])).toEqual([
      [1, 'b {'],
      [12_000, '2-0'],
    ])
  })

  test('the ledger overrules a verdict', () => {
    const known = new Map([['order 1 u1', 'other!500']])
    const plan = planOf(validate, [entryOf(validate, '1-0', [raw('a', order('1')), raw('b', order('2'))])], known)
    expect(plan.rejects.map(({ group, record }) => [group, JSON.parse(`{${record}`).reason])).toEqual([
      ['conflict', 'Order 1 of user u was already accepted with order_value 5'],
    ])
    expect(plan.emits.map(({ admitted }) => admitted?.line.name)).toEqual(['order 1 u2'])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('a bug')
      },
    ],
    ['leaves a fraction', (standing: Standing) => ({ standing: { ...standing, net: 0.5 }, emit: {} })],
  ] as const)('a correction that %s by what is left of its order rejects only its record', (_, correct) => {
    const odd: Stage = {
      ...validate,
      decide: (...given) => {
        const verdict = validate.decide(...given)
        return verdict.outcome === 'correct' ? { ...verdict, correct } : verdict
      },
    }
    const cancel = raw('b', { user_id: 'u', order_id: '1', event: 'order.cancelled', event_id: 'e' })
    const known = new Map([['event 1 1 u1id e', '']])
    const plan = planOf(odd, [entryOf(validate, '1-0', [raw('a', order('1')), cancel])], known)
    expect(failures).toHaveLength(1)
    expect(plan).toMatchObject({ orders: 1, rejects: [{ group: 'internal-error', orders: 1 }] })
  })
})

describe('a batch of a later stage', () => {
  test('effects on one key are merged, and a user has one record of totals', () => {
    const entries = [
      entryOf(aggregate, '1-0', [valid('u', 5), valid('v', 7)]),
      entryOf(aggregate, '2-0', [valid('u', 6)]),
    ]
    const plan = planOf(aggregate, entries)
    expect(mapOf(plan.hashes)).toEqual({
      'user:u': { order_count: 2, total_spend_minor: 11 },
      'user:v': { order_count: 1, total_spend_minor: 7 },
      'global:stats': { total_orders: 3, total_revenue_minor: 18 },
    })
    expect(plan.emits).toEqual([
      { text: '{"user_id":"u","orders":2', totals: 'user:u' },
      { text: '{"user_id":"v","orders":1', totals: 'user:v' },
    ])
  })

  test('a member is ranked once', () => {
    const board = place({
      name: 'leaderboard',
      takes: userTotals,
      counts: 'ranked',
      decide: () => pass({ effects: [rank('m', ['hash'], [{ board: 'board', fields: ['x'] }])] }),
    })
    const totals = [3, 9, 4].map((order_count) => ({ user_id: 'u', orders: 1, order_count, total_spend_minor: 1 }))
    const { ranks } = planOf(board, [entryOf(board, '1-0', totals)])
    expect([...ranks.values()].map((members) => [...members.keys()])).toEqual([['m']])
  })

  test('records are emitted in the order of their entries', () => {
    const fraud = withFraud.stage('fraud') as Stage
    const orders = ['1', '2', '3'].map((order_id) => ({ user_id: 'u', order_id, minor: 5 }))
    const plan = planOf(fraud, [entryOf(fraud, '1-0', orders.slice(0, 2)), entryOf(fraud, '2-0', orders.slice(2))])
    expect(plan.emits.map(({ text }) => JSON.parse(text))).toEqual(orders)
  })

  test('a record that is rejected keeps the times that the stage first had of it, also after a replay', () => {
    const refusing = place({ ...definitions.aggregate, decide: () => reject({ code: 'refused', reason: 'no' }) })
    const runner_times = { sentMs: 1_000, atMs: 2_000 }
    const kept = '"order":{"user_id":"u","order_id":"o","minor":1,"runner_times":{"sentMs":1000,"atMs":2000}},'
    for (const entry of [
      entryOf(refusing, '2000-1', [valid('u', 1)], { t: '[1000,1]' }),
      entryOf(refusing, '3000-1', [{ ...valid('u', 1), runner_times }], { g: 'aggregate' }),
      entryOf(refusing, '2000-1', [{ ...valid('u', 1), runner_times: 'soon' }], { t: '[1000,1]' }),
    ]) {
      expect(planOf(refusing, [entry]).rejects[0]?.record).toContain(kept)
    }
  })

  test('nothing is done for an entry that is for another stage alone, but it is acknowledged', () => {
    const forBoard = { ...entryOf(aggregate, '1-0', [valid('u', 5)]), group: 'another' }
    expect(planOf(aggregate, [forBoard])).toMatchObject({ entryIds: ['1-0'], orders: 0, emits: [], rejects: [] })
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('a bug')
      },
    ],
    ['adds a fraction', () => pass({ effects: [hincrby('k', 'f', 0.5)] })],
    ['adds no number', () => pass({ effects: [hincrby('k', 'f', Number.NaN)] })],
    ['wants totals of a key without effect', () => pass({ effects: [], totals: { key: 'k', head: {} } })],
  ] as const)('a decision that %s rejects only its record', (_, decide) => {
    const odd: Stage = {
      ...aggregate,
      decide: (record, keys, format) =>
        'minor' in record && record.minor === 6 ? decide() : aggregate.decide(record, keys, format),
    }
    const plan = planOf(odd, [entryOf(aggregate, '1-0', [valid('u', 5), valid('u', 6)])])
    expect(failures).toHaveLength(1)
    expect(plan).toMatchObject({ orders: 1, rejects: [{ group: 'internal-error', orders: 1 }] })
    expect(mapOf(plan.hashes)['user:u']).toEqual({ order_count: 1, total_spend_minor: 5 })
  })
})

test('the times of orders are kept for as many as pass', () => {
  const first = {
    ...entryOf(validate, '1-0', [raw('a', order('1')), raw('b', '{'), raw('c', order('2'))]),
    sent: [100, 3],
  }
  const second = { ...entryOf(validate, '2-0', [raw('d', order('3'))]), sent: [100, 1] }
  const third = { ...entryOf(validate, '3-0', [raw('e', order('4'))]), sent: [200, 1] }
  expect(planOf(validate, [first, second, third]).sent).toEqual([100, 3, 200, 1])
})

test('hashes that change the same fields are encoded with the names of these once, by key number', () => {
  const plan = planOf(aggregate, [entryOf(aggregate, '1-0', [valid('u', 5), valid('v', 7)])])
  const { names, args } = encodeCommit(
    { ledgerBuckets: 4, ledgerDays: 14 },
    { stage: aggregate, keys, consumer: 'c' },
    plan,
    3,
  )
  const number = (key: string): number => names.indexOf(key) + 1
  const { hashes, totals, ledger } = JSON.parse(String(args[2]))
  expect(hashes).toEqual([
    [
      ['order_count', 'total_spend_minor'],
      [number('user:u'), 1, 5, number('user:v'), 1, 7],
    ],
    [
      ['total_orders', 'total_revenue_minor'],
      [number('global:stats'), 2, 12],
    ],
  ])
  expect(totals).toEqual([number('user:u'), number('user:v')])
  expect(ledger).toBeUndefined()
})

describe('the traces of orders', () => {
  const trace = (at: number): string => `00-${`${at}`.padStart(32, '0')}-${'1'.repeat(16)}-01`
  const traced = (record: object, ...at: number[]) => ({ ...record, traceparents: at.map(trace) })
  const without = (plan: Plan) => ({ ...plan, traced: [], emits: plan.emits.map(({ admitted }) => admitted) })

  test('go on with what is passed on, and are no part of what an order is', () => {
    const orders = [raw('a', order('1')), raw('b', { user_id: 'v' }), raw('c', order('2'))]
    const bare = planOf(validate, [entryOf(validate, '1-1', orders)])
    const plan = planOf(validate, [entryOf(validate, '1-1', [traced(orders[0] ?? {}, 1), ...orders.slice(1)])])
    expect(without(plan)).toEqual(without(bare))
    expect(plan.emits.map(({ text }) => JSON.parse(text).traceparents)).toEqual([[trace(1)], undefined])
    expect(plan.traced).toMatchObject([{ contexts: [trace(1)], entry: { id: '1-1' } }])
    expect(plan.traced[0]).not.toHaveProperty('code')
  })

  test('leave a rejected order as it was, and lead to it', () => {
    const orders = [traced(raw('b', { user_id: 'v' }), 2)]
    const plan = planOf(validate, [entryOf(validate, '1-1', orders)])
    expect(plan.rejects).toMatchObject([{ trace: trace(2), record: expect.not.stringContaining('traceparents') }])
    expect(plan.traced).toMatchObject([{ contexts: [trace(2)], code: 'missing-field' }])
    const refusing = place({ ...definitions.aggregate, decide: () => reject({ code: 'refused', reason: 'no' }) })
    const later = planOf(refusing, [entryOf(refusing, '1-1', [traced(valid('u', 1), 3)])])
    expect(later.rejects[0]?.record).not.toContain('traceparents')
  })

  test('of all orders of a user go on with the totals, 128 at most', () => {
    const of = (count: number): unknown => {
      const orders = Array.from({ length: count }, (_, at) => traced(valid('u', 1), at))
      const [emit] = planOf(aggregate, [entryOf(aggregate, '1-1', [...orders, valid('u', 1)])]).emits
      return JSON.parse(`${emit?.text}}`)
    }
    expect(of(2)).toEqual({ user_id: 'u', orders: 3, traceparents: [trace(0), trace(1)] })
    expect(of(130)).toMatchObject({ orders: 131, traceparents: expect.objectContaining({ length: 128 }) })
  })
})
