import { expect, test } from 'vitest'
import { keptWhere } from '../../../../src/control/undo/undos.ts'
import { collectUndone, collectWindow } from '../../../../src/ops/undo/collect.ts'
import type { ArchiveReader } from '../../../../src/ops/undo/open-archive.ts'
import type { ArchivedRecord } from '../../../../src/stages/archive/record.ts'

const signal = new AbortController().signal
const record = (ms: number, more: Partial<ArchivedRecord> = {}): ArchivedRecord => ({
  ...{ user_id: 'ann', order_id: 'o1', minor: 1_000, entry: `${ms}-0`, at: 0, sent: ms - 1 },
  ...more,
})
/** An archive of one segment. */
const archiveOf = (records: readonly ArchivedRecord[]): Pick<ArchiveReader, 'read'> => ({
  read: async function* () {
    yield* records
  },
})
const window = { fromMs: 100, toMs: 200 }
const collect = (records: readonly ArchivedRecord[], where?: object) =>
  collectWindow(archiveOf(records), { ...window, where }, 'twice', signal)

test('the window has its first ms and not its last, and corrections at any time after it', async () => {
  const { orders, otherCorrections } = await collect([
    record(250, { correction: 'refunded', minor: -400, order_timestamp: 't' }),
    record(100),
    record(99, { order_id: 'before' }),
    record(200, { order_id: 'after' }),
    record(150, { order_id: 'before', correction: 'cancelled', minor: -1_000 }),
  ])
  const refund = { records: -1, minor: 400, correction: 'refunded', order_timestamp: 't', sent: 249, at: 250 }
  const parts = [{ records: -1, minor: -1_000, sent: 99, at: 100 }, refund]
  expect(orders).toEqual([{ userId: 'ann', orderId: 'o1', since: '100-0', parts }])
  expect(otherCorrections).toBe(1)
})

test('of an order that was admitted twice only the last counts, and only if it is in the window', async () => {
  const refund = record(120, { correction: 'refunded', minor: -400 })
  const { orders, admittedAgain } = await collect([record(150, { minor: 7 }), record(110), refund])
  expect(admittedAgain).toBe(1)
  expect(orders.map(({ parts }) => parts)).toEqual([[{ records: -1, minor: -7, sent: 149, at: 150 }]])
  expect(await collect([record(110), refund, record(300)])).toMatchObject({ orders: [], admittedAgain: 1 })
})

test('what another undo took and put back is there once, and what this undo took is left out', async () => {
  const parts = [{ records: -1, minor: -1_000, sent: 109, at: 110 }]
  const back = [{ ...parts[0], records: 1, minor: 1_000 }] as typeof parts
  const undone = record(300, { correction: 'undone', minor: -1_000, undo: { name: 'other', parts } })
  const redone = record(310, { correction: 'redone', minor: 1_000, undo: { name: 'other', parts: back } })
  const own = record(320, { correction: 'undone', minor: -1_000, undo: { name: 'twice', parts } })
  const { orders } = await collect([record(110), undone, redone, own])
  expect(orders).toEqual([{ userId: 'ann', orderId: 'o1', since: '110-0', parts }])
  expect(await collectUndone(archiveOf([record(110), undone, redone, own]), 0, 'twice', signal)).toEqual({
    orders: [{ userId: 'ann', orderId: 'o1', since: '320-0', parts: back }],
    ...{ otherCorrections: 0, admittedAgain: 0 },
  })
})

test.each([
  [keptWhere({ user: 'ann' }), 4],
  [keptWhere({ user: 'bob' }), 0],
  [{ source: 'shop' }, 2],
  [{ source: 'shop', version: '3' }, 1],
  [{ event: 'order.placed' }, 3],
  [{ event: 'order.created' }, 1],
  [{ version: '4' }, 0],
])('%j finds %i orders', async (where, expected) => {
  const bodies = [{ source: 'shop', version: 3 }, { event: 'order.created' }, { version: null, source: ['shop'] }]
  const records = bodies.map((body, at) => record(110 + at, { order_id: `o${at}`, body: JSON.stringify(body) }))
  const enveloped = record(120, { order_id: 'o9', body: '{}', layers: [{ kind: 'eventbridge', source: 'shop' }] })
  expect((await collect([...records, enveloped], where)).orders).toHaveLength(expected)
})
