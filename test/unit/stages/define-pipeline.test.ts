import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeKeys } from '../../../src/keys.ts'
import { admittedOrder, recordKind, userTotals } from '../../../src/messages.ts'
import { definePipeline } from '../../../src/stages/define-pipeline.ts'
import { decodeEntry } from '../../../src/stages/runner/entry.ts'
import { type AnyStage, defineObserver, defineStage, pass } from '../../../src/stages/stage.ts'
import { plainFormat } from '../../support/plain-format.ts'
import { fraud, revenue, withBoth, withFraud } from '../../support/sample-stages.ts'
import { definitions, shipped } from '../../support/stages.ts'

const { validate, aggregate, leaderboard } = definitions
const readBy = (channel: string, pipeline = withBoth): string[] =>
  pipeline.channel(channel).readers.map(({ name }) => name)

test('a stage between two others reads what the one before passes on, and the next reads what it passes on', () => {
  expect(withFraud.stages.map(({ name, from, to }) => [name, from, to])).toEqual([
    ['validate', 'raw', 'valid'],
    ['fraud', 'valid', 'cleared'],
    ['aggregate', 'cleared', 'counted'],
    ['leaderboard', 'counted', undefined],
  ])
  const writers = ['raw', 'valid', 'cleared', 'counted'].map((channel) => withFraud.channel(channel).writer?.name)
  expect(writers).toEqual([undefined, 'validate', 'fraud', 'aggregate'])
  expect(withFraud.stage('aggregate')?.counters.in).toEqual(['cleared', 'aggregate:foreign'])
  expect(withFraud.growing).toEqual([
    'received',
    'admitted',
    'corrected',
    'rejected',
    'duplicates',
    'cleared',
    'applied',
    'ranked',
  ])
})

test('an observer reads the same records as the next stage of the chain', () => {
  expect([readBy('valid'), readBy('cleared')]).toEqual([['revenue', 'fraud'], ['aggregate']])
  expect(withBoth.chain.map(({ name }) => name)).toEqual(['validate', 'fraud', 'aggregate', 'leaderboard'])
  const late = definePipeline([validate, fraud, revenue, aggregate, leaderboard])
  expect(readBy('cleared', late)).toEqual(['revenue', 'aggregate'])
})

const emptyPass = () => pass({ effects: [] })

describe('a list whose stages do not fit is refused with a sentence', () => {
  const takesTotals = defineStage({ name: 'x', takes: userTotals, counts: 'y', decide: emptyPass })
  const needy = defineStage({ name: 'x', takes: userTotals, needs: ['items'], counts: 'y', decide: emptyPass })
  const end = defineStage({ name: 'end', takes: admittedOrder, counts: 'y', decide: emptyPass })
  const list = (...stages: unknown[]): AnyStage[] => stages as AnyStage[]
  test.each([
    [[], 'A pipeline begins with a stage that takes what the bridge writes, such as validate.'],
    [list(aggregate), 'A pipeline begins with a stage that takes what the bridge writes, such as validate.'],
    [list(validate, takesTotals), 'x takes orders, order_count, total_spend_minor, which validate does not pass on.'],
    [list(validate, end, aggregate), 'end passes nothing on, so aggregate must come before it.'],
    [list(validate, aggregate, needy), 'x needs items, which aggregate does not pass on: put x before aggregate.'],
    [
      list({ ...validate, passes: { channel: 'counted', record: userTotals } }, needy),
      'x needs items, which validate does not pass on: put x before validate.',
    ],
    [
      list(validate, {
        ...fraud,
        passes: { channel: 'x', record: recordKind(z.object({ traceparents: z.string() })) },
      }),
      'A record of fraud has a field traceparents, which the runner adds: give it another name.',
    ],
    [
      list(validate, { ...fraud, takes: recordKind(z.object({ runner_times: z.int().optional() })) }),
      'A record of fraud has a field runner_times, which the runner adds: give it another name.',
    ],
    [list(validate, validate), 'validate takes id, body, which validate does not pass on.'],
    [list(validate, revenue, revenue, aggregate), 'Two stages have the stage revenue: each needs its own.'],
    [list(validate, { ...revenue, name: 'a:b' }), 'a:b is not a valid name for a stage: use a-z, 0-9, _ and -.'],
  ])('%#', (stages, sentence) => {
    expect(() => definePipeline(stages as readonly AnyStage[])).toThrow(sentence)
  })

  const isTaken = (name: string, what: string): string =>
    `${name} is not available as the name of a ${what}: it is in use.`
  test.each(['bridge', 'jobs', 'api'])('%s is no name of a stage', (name) => {
    expect(() => definePipeline(list(validate, { ...revenue, name }))).toThrow(isTaken(name, 'stage'))
  })
  test.each(['raw', 'invalid', 'discarded'])('%s is no name of a channel', (channel) => {
    const passes = { channel, record: admittedOrder }
    expect(() => definePipeline(list(validate, { ...fraud, passes }, aggregate))).toThrow(isTaken(channel, 'channel'))
  })
  test.each(['received', 'rejected', 'duplicates', 'replayed', 'discarded'])('%s is no name of a counter', (counts) => {
    expect(() => definePipeline(list(validate, { ...revenue, counts }))).toThrow(isTaken(counts, 'counter'))
  })

  test('and by the type checker', () => {
    // @ts-expect-error leaderboard takes totals, validate passes orders on
    expect(() => definePipeline([validate, leaderboard])).toThrow('leaderboard takes')
    // @ts-expect-error an observer cannot reject
    defineObserver({ name: 'x', takes: admittedOrder, counts: 'y', decide: () => ({ outcome: 'reject' }) })
  })
})

test('validate carries along what a stage needs, and nothing else', () => {
  const body = JSON.stringify({
    ...{ user_id: 'u', order_id: 'o', order_value: 3, shipping_address: '12 Main St', payment_method: 'PayPal' },
    items: [{ product_id: 'P', quantity: 3, price_per_unit: 1, note: 'kept' }],
  })
  const emitted = (pipeline = shipped): unknown => {
    const verdict = pipeline.first.decide({ id: 'm', body }, makeKeys(), plainFormat)
    return verdict.outcome === 'admit' && JSON.parse(JSON.stringify(verdict.emit))
  }
  const plain = { user_id: 'u', order_id: 'o', minor: 300 }
  expect(emitted()).toEqual(plain)
  expect(emitted(withFraud)).toEqual({ ...plain, shipping_address: '12 Main St' })
  const items = defineObserver({
    name: 'sold',
    takes: admittedOrder,
    needs: ['items'],
    counts: 'sold',
    decide: () => [],
  })
  const late = definePipeline([validate, fraud, items, aggregate, leaderboard])
  const carried = { ...plain, items: [{ product_id: 'P', quantity: 3, price_per_unit: 1, note: 'kept' }] }
  expect(emitted(late)).toEqual({ ...carried, shipping_address: '12 Main St' })
  // The stage between passes on what a later one needs, without having heard of it.
  const passed = late.stage('fraud')?.decide({ ...carried, shipping_address: '12 Main St' }, makeKeys(), plainFormat)
  expect(JSON.parse(JSON.stringify(passed))).toEqual({ outcome: 'pass', effects: [], emit: carried })
})

test('a channel is decoded by the schema of the stage that writes it, with what is carried along', () => {
  const own = recordKind(z.object({ user_id: z.string(), order_id: z.string(), minor: z.int(), risk: z.int() }))
  const score = defineStage({
    name: 'score',
    takes: admittedOrder,
    passes: { channel: 'scored', record: own },
    counts: 'scored',
    decide: ({ user_id, order_id, minor }) => pass({ effects: [], emit: { user_id, order_id, minor, risk: 1 } }),
  })
  const pipeline = definePipeline([validate, score, aggregate, leaderboard])
  const decoded = (record: object): unknown =>
    decodeEntry(
      pipeline,
      '1-1',
      ['r', JSON.stringify([record])].map((text) => Buffer.from(text)),
      'scored',
    ).records
  const right = { user_id: 'u', order_id: 'o', minor: 1, risk: 1 }
  expect(decoded(right)).toEqual([right])
  expect(decoded({ ...right, risk: 'high' })).toBeUndefined()
  const bad = { user_id: 'u', order_id: 'o', minor: 1, shipping_address: 7 }
  const onValid = ['r', JSON.stringify([bad])].map((text) => Buffer.from(text))
  expect(decodeEntry(withFraud, '1-1', onValid, 'valid').records).toBeUndefined()
})

test('a kind of record keeps a field that is named as what a decision gets', () => {
  const basket = recordKind(z.object({ user_id: z.string(), times: z.int() }), { isPlain: () => true })
  const baskets = definePipeline([
    validate,
    defineStage({
      ...{ name: 'basket', takes: admittedOrder, passes: { channel: 'baskets', record: basket }, counts: 'basketed' },
      decide: ({ user_id }) => pass({ effects: [], emit: { user_id, times: 3 } }),
    }),
    defineStage({ name: 'after', takes: basket, counts: 'seen', decide: emptyPass }),
  ])
  const fields = ['r', '[{"user_id":"u","times":3}]'].map((text) => Buffer.from(text))
  expect(decodeEntry(baskets, '1-1', fields, 'baskets').records).toEqual([{ user_id: 'u', times: 3 }])
  expect(baskets.channel('baskets').isPlain({ user_id: 'u', times: 3 })).toBe(true)
})

test('a record with what is carried along, or without it, is plain: it is taken as it is', () => {
  const { isPlain } = withFraud.channel('valid')
  const order = { user_id: 'u', order_id: 'o', minor: 1 }
  expect(isPlain(order)).toBe(true)
  expect(isPlain({ ...order, shipping_address: '12 Main St' })).toBe(true)
  expect(isPlain({ ...order, shipping_address: 7 })).toBe(false)
  expect(isPlain({ ...order, minor: 'many' })).toBe(false)
})

test('the group of an entry is that of any reader of its channel, and no other', () => {
  const groupOf = (group: string): string | undefined => {
    const fields = ['r', '[]', 'g', group].map((text) => Buffer.from(text))
    return decodeEntry(withBoth, '1-1', fields, 'valid').group
  }
  expect(['revenue', 'fraud', 'aggregate', 'x'].map(groupOf)).toEqual(['revenue', 'fraud', undefined, undefined])
})
