import assert from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeKeys } from '../../../../src/keys.ts'
import type { CountedRecord } from '../../../../src/messages.ts'
import { decodeEntry } from '../../../../src/stages/runner/entry.ts'
import { planBatch } from '../../../../src/stages/runner/plan.ts'
import { plainFormat } from '../../../support/plain-format.ts'
import { shipped as pipeline } from '../../../support/stages.ts'

const keys = makeKeys()
const channels = ['raw', 'valid', 'counted'] as const
type ChannelName = (typeof channels)[number]

/** Records as they should be, each value as JSON text. */
const samples = {
  raw: { id: '"m"', body: '"{}"', jobId: '"t"', history: '{"attempts":1,"first_reason":"r","first_ts":"t"}' },
  valid: { user_id: '"u"', order_id: '"o"', minor: '101', order_timestamp: '"2024-01-01"' },
  counted: { user_id: '"u"', orders: '2', order_count: '9', total_spend_minor: '9007199254740991' },
} as const satisfies { [C in ChannelName]: Record<string, string> }

const nested = (open: string, inner: string, close: string): string =>
  open.repeat(10_000) + inner + close.repeat(10_000)
const deep = [nested('[', '', ']'), nested('[', '', ''), nested('{"a":', '1', '}'), nested('{"__proto__":', '1', '}')]
const texts = fc.oneof(
  fc.constantFrom('null', 'true', '0', '-0', '1', '-1', '0.5', '""', '[]', '{}', '[[]]', '[null]'),
  fc.constantFrom('1e999', '-1e999', '1e308', '9007199254740993', '-9007199254740991', '1e-7', '5e-324'),
  fc.constantFrom('"\\ud800"', '"\\udc00x"', '"\\u0000"', '"__proto__"', '"constructor"'),
  fc.constantFrom('{"__proto__":{"id":"m"}}', '{"constructor":1}', '{"toJSON":1}', '{"then":1}', '{"length":1e9}'),
  fc.constantFrom('', ' ', 'NaN', '-Infinity', '01', '{', '[', '"', "{'a':1}", '\ufeff[]', '[,]', '\\', '\0'),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => JSON.stringify(text)),
)
/** An order as validate meets it, its values hostile. */
const body = fc
  .tuple(...['"u"', '"o"', '0.5', 'null'].map((fine) => fc.oneof(fc.constant(fine), texts)))
  .map(
    ([user, order, value, items]) => `{"user_id":${user},"order_id":${order},"order_value":${value},"items":${items}}`,
  )
  .map((text) => JSON.stringify(text))
const value = fc.oneof(
  { weight: 300, arbitrary: fc.oneof(texts, body) },
  { weight: 1, arbitrary: fc.constantFrom(...deep) },
)
const name = fc.constantFrom(
  'id',
  'body',
  'user_id',
  'minor',
  'orders',
  '__proto__',
  'constructor',
  'history',
  'n',
  'r',
)

/** A batch's JSON, some of its values and names changed or doubled. */
const batchOf = (from: ChannelName): fc.Arbitrary<string> => {
  const fields = Object.entries(samples[from])
  const changes = fc.array(fc.tuple(fc.nat(fields.length), fc.option(name), value), { maxLength: 2 })
  const hostile = from === 'raw' ? body : fc.constant(undefined)
  const record = fc.tuple(changes, hostile, fc.boolean()).map(([changes, body, isNew]) => {
    const own = fields.filter(([name]) => !isNew || name !== 'history')
    const changed = own.map(([name, text]): readonly [string, string] => [name, name === 'body' && body ? body : text])
    for (const [field, name, text] of changes) {
      const at = Math.min(field, changed.length)
      changed[at] = [name ?? changed[at]?.[0] ?? 'more', text]
    }
    return `{${changed.map(([name, text]) => `"${name}":${text}`).join(',')}}`
  })
  return fc.oneof(
    { weight: 8, arbitrary: fc.array(record, { minLength: 1, maxLength: 3 }).map((records) => `[${records}]`) },
    { weight: 1, arbitrary: value },
  )
}

/** Bits turned, bytes that are no UTF-8 put in, the rest cut off. */
const damage = fc.array(fc.tuple(fc.constantFrom('flip', 'put', 'cut'), fc.nat(400), fc.nat(255)), { maxLength: 2 })
function damaged(bytes: Buffer, damage: readonly (readonly [string, number, number])[]): Buffer {
  let left = bytes
  for (const [how, at, byte] of damage) {
    if (how === 'cut') left = left.subarray(0, at)
    else if (how === 'put') left = Buffer.concat([left.subarray(0, at), Buffer.of(byte | 0x80), left.subarray(at)])
    else if (at < left.length)
      left = Buffer.from(left.map((old, place) => (place === at ? old ^ (1 << (byte % 8)) : old)))
  }
  return left
}

const said = fc.oneof(
  fc.constantFrom(
    '1',
    '0',
    '-1',
    '1.5',
    '1e3',
    '1e999',
    'NaN',
    '',
    ' 7 ',
    '0x10',
    '10000',
    '10001',
    '\0',
    '٣',
    '1n',
    '1_0',
  ),
  fc.constantFrom('9007199254740991', '9007199254740993', '-9007199254740991', '1e-400', '9'.repeat(400)),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
/** Names and values alternating: doubled, exchanged, cut in the middle of a pair, without r. */
const disorder = fc.constantFrom('none', 'none', 'none', 'double', 'exchange', 'odd', 'without r', 'shift')
function disordered(fields: Buffer[], how: string): Buffer[] {
  const [n, r] = [fields.slice(0, 2), fields.slice(2, 4)]
  if (how === 'double') return [...fields, ...n.toReversed(), ...r, ...n]
  if (how === 'exchange') return fields.toReversed()
  if (how === 'odd') return fields.slice(0, -1)
  if (how === 'without r') return [...n, ...n]
  return how === 'shift' ? fields.slice(1) : fields
}

const nearly = (from: ChannelName): fc.Arbitrary<Buffer[]> =>
  fc
    .tuple(said, batchOf(from), fc.oneof(fc.constant([]), damage), disorder, fc.boolean())
    .map(([said, batch, damage, how, counted]) => {
      const r = damaged(Buffer.from(batch), damage)
      const fields = [Buffer.from('n'), Buffer.from(said), Buffer.from('r'), r]
      return disordered(counted ? [...fields, Buffer.from('c'), Buffer.from('1')] : fields, how)
    })
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom('n', 'r', 'c', '', '[]', '[{}]').map((text) => Buffer.from(text)),
)
const anything = fc.array(bytes, { maxLength: 7 })
const entry = fc.oneof(
  ...channels.map((from) => ({
    weight: 1,
    arbitrary: fc
      .oneof({ weight: 6, arbitrary: nearly(from) }, { weight: 1, arbitrary: anything })
      .map((fields) => ({ from, fields })),
  })),
)

test('whatever bytes an entry holds, it is decoded and planned: every order in it is passed on or kept', () => {
  const decoded = { raw: 0, valid: 0, counted: 0 }
  const property = fc.property(entry, ({ from, fields }) => {
    const entry = decodeEntry(pipeline, '1-1', fields, from)
    // assert: a quarter of a million expectations would take longer than all that is tested.
    assert(Number.isSafeInteger(entry.orders) && entry.orders > 0)
    if (entry.records) {
      decoded[from]++
      // Else an order would go on with other letters than were sent.
      const at = fields.findIndex((field, at) => at % 2 === 0 && field.equals(Buffer.from('r')))
      assert(fields[at + 1]?.equals(Buffer.from(String(fields[at + 1]))))
    }
    const [stage] = pipeline.stages.filter((stage) => stage.from === from)
    if (!stage) throw new Error(`no stage reads ${from}`)
    const failed: unknown[] = []
    const onDecideFailed = (_: string, error: unknown): void => void failed.push(error)
    const plan = planBatch(
      {
        stage,
        channel: pipeline.channel(stage.from),
        keys,
        format: plainFormat,
        now: new Date(0),
        known: new Map(),
        onDecideFailed,
      },
      [entry],
    )
    // Only totals that are no integers make a decision throw: no code of ours writes such.
    if (from !== 'counted') assert.deepEqual(failed, [])

    const counted = from === 'counted' ? (entry.records as CountedRecord[] | undefined) : undefined
    const orders = counted?.map(({ orders }) => orders) ?? entry.records?.map(() => 1) ?? [entry.orders]
    const sum = orders.reduce((sum, orders) => sum + orders, 0)
    const kept = plan.rejects.reduce((sum, { orders }) => sum + orders, 0)
    if (Number.isSafeInteger(sum)) assert.equal(plan.orders + kept, sum)
    if (!entry.records) assert.deepEqual(bytesIn(plan.rejects[0]?.record), fields)
    for (const { record } of plan.rejects) assert(Number.isInteger(JSON.parse(`{${record}`).attempts))
    for (const { text, totals } of plan.emits) JSON.parse(totals ? `${text}}` : text)
  })
  const seed = process.env['SEED']
  fc.assert(property, { ...(seed !== undefined && { seed: Number(seed) }), numRuns: 20_000 })
  // Not all of it may be refused at the door.
  for (const from of channels) expect(decoded[from]).toBeGreaterThan(400)
})

/** The fields of an entry that was kept whole. */
function bytesIn(record = ''): Buffer[] {
  const { raw, raw_base64 } = JSON.parse(`{${record}`)
  if (raw === undefined)
    return String(raw_base64)
      .split(' ')
      .map((field) => Buffer.from(field, 'base64'))
  return JSON.parse(raw).map((field: string) => Buffer.from(field))
}

test('what is recognized as a record without the schema is one by the schema, with the same values', () => {
  const plain = { raw: 0, valid: 0, counted: 0 }
  const property = fc.property(entry, ({ from, fields }) => {
    const records: unknown[] = [parsed(fields[fields.findIndex((field) => String(field) === 'r') + 1])].flat()
    for (const record of records) {
      if (typeof record !== 'object' || record === null || !pipeline.channel(from).isPlain({ ...record })) continue
      plain[from]++
      const { success, data } = pipeline.channel(from).record.safeParse(record)
      assert(success)
      for (const [field, value] of Object.entries(data ?? {})) assert.deepEqual(Reflect.get(record, field), value)
    }
  })
  fc.assert(property, { numRuns: 8_000 })
  for (const from of channels) expect(plain[from]).toBeGreaterThan(40)
})

function parsed(json: Buffer | undefined): unknown {
  try {
    return JSON.parse(String(json))
  } catch {
    return undefined
  }
}
