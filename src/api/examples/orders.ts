import type { Examples } from './example.ts'

const order = {
  user_id: 'user_7',
  order_id: '6f1c2a9e',
  order_value: 150.75,
  order_timestamp: '2026-11-23T10:00:00Z',
  items: [{ product_id: 'P001', quantity: 3, price_per_unit: 50.25 }],
  shipping_address: '12 Main St',
  payment_method: 'PayPal',
}
const invalid = {
  id: '1764000000000-0',
  order: { ...order, order_value: 155.75 },
  code: 'total-mismatch',
  reason: 'Calculated total (150.75) does not match order_value (155.75)',
  ts: '2026-11-23T10:00:01.250Z',
  attempts: 1,
}
const { order: _, ...rejected } = invalid
const jobId = 'reprocess-0f8fad5b-d9cb-469f-a165-70867728950e'
const replayId = 'replay-7c9e6679-7425-40de-944b-e07fc1f90ae7'
const redriveId = 'redrive-16fd2706-8baf-433b-82eb-8c7fada847da'
const undoId = 'undo-9b2d1c3e-5f4a-4b6c-8d7e-1f2a3b4c5d6e'
const accepted = { status: 'accepted', message: 'Order sent for reprocessing.', job_id: jobId }
const neighbors = [
  { rank: 1, user_id: 'user_1', score: 980.5 },
  { rank: 2, user_id: 'user_7', score: 150.75 },
]
const yes = (because: string) => ({
  done: 'yes',
  not_before: '2026-11-23T10:00:01.250Z',
  not_after: '2026-11-23T10:00:01.250Z',
  because,
})

const undone = {
  ...{ name: 'double charge', state: 'undone', from: '2026-11-23T14:03:00.000Z', to: '2026-11-23T14:40:00.000Z' },
  ...{ where: { source: 'shop' }, by: 'ann', at: '2026-11-23T15:00:00.000Z', job_id: undoId },
  radius: {
    ...{ orders: 2, users: 1, revenue: 150.75, ranks_changed: 1, ranks: [] },
    days: [{ day: '2026-11-23', orders: 2, revenue: 150.75 }],
    ...{ erased: 0, forgotten: 0, undone_before: 0, admitted_again: 0, other_corrections: 0 },
    archive_from: '2026-11-01T08:00:00.000Z',
  },
  undone: { at: '2026-11-23T15:00:02.000Z', orders: 2, users: 1, revenue: 150.75, left: 0 },
  redo: null,
  redone: null,
}

/** Users and orders. */
export const orderExamples: Examples = {
  'get /users/{user_id}/stats': {
    params: { user_id: 'user_7' },
    reply: { user_id: 'user_7', order_count: 2, total_spend: 150.75 },
  },
  'delete /users/{user_id}': {
    params: { user_id: 'user_7' },
    reply: {
      erasure: '0f8fad5b-d9cb-469f-a165-70867728950e',
      user: 'eed63b15ad4ce05258b7e5b4a2eba61f8881f1f379611ecc5a4175b555f963b6',
      erased_at: '2026-11-23T10:00:05.000Z',
      by: 'ann',
      complete: true,
      moved: { account: 'erased:0', orders: 2, spend: 150.75, months: 1 },
      removed: { invalid: 1, discarded: 0, jobs: 0, outcomes: 0, archive: 1, audit: 0 },
      waiting: 0,
    },
  },
  'get /users/{user_id}/rank': {
    params: { user_id: 'user_7' },
    query: { around: 1 },
    reply: {
      user_id: 'user_7',
      spend: { rank: 2, score: 150.75, users: 2, neighbors },
      orders: { rank: 1, score: 2, users: 2, neighbors: [{ rank: 1, user_id: 'user_7', score: 2 }] },
    },
  },
  'get /stats/global': { reply: { total_orders: 2, total_revenue: 150.75 } },
  'get /stats/daily': {
    query: { from: '2026-11-22', to: '2026-11-23' },
    reply: {
      timezone: 'UTC',
      from: '2026-11-22',
      to: '2026-11-23',
      closed: false,
      days: [
        { day: '2026-11-22', orders: 0, revenue: 0, cancelled: 0, refunded: 0, undated: 0, misdated: 0 },
        { day: '2026-11-23', orders: 2, revenue: 150.75, cancelled: 20, refunded: 5.5, undated: 0, misdated: 0 },
      ],
    },
  },
  'get /stats/top-users': {
    query: { by: 'spend', n: 10 },
    reply: { by: 'spend', n: 10, offset: 0, users: [{ user_id: 'user_7', score: 150.75 }] },
  },
  'get /orders/{user_id}/{order_id}/trace': {
    params: { user_id: 'user_7', order_id: '6f1c2a9e' },
    reply: {
      user_id: 'user_7',
      order_id: '6f1c2a9e',
      at: '2026-11-23T10:00:05.000Z',
      where: 'ranked',
      received: yes('It was admitted.'),
      admitted: yes('The ledger has it.'),
      applied: yes('It does not wait for aggregate any more.'),
      ranked: yes('All orders of its user are ranked.'),
      ...{ amount: 150.75, net: 100.75, cancelled: false, order_timestamp: null, day: null },
      corrections: [
        {
          ...{ kind: 'refunded', event_id: 'r-7', state: 'accepted', since: '2026-11-23T10:00:04.000Z' },
          ...{ amount: null, change: -50, order_timestamp: '2026-11-23T10:00:00Z' },
          day: { day: '2026-11-23', timezone: 'UTC', dated: 'own' },
        },
      ],
      waiting: [],
      counted: [],
      invalid: [],
      discarded: [],
      sent: [],
      duplicates: { total: 0, because: 'No order was received twice.' },
      scanned: [],
      settled: true,
    },
  },
  'get /orders/invalid': { query: { limit: 50, code: 'total-mismatch' }, reply: [invalid] },
  'get /orders/invalid/summary': {
    reply: {
      total: 1,
      codes: { 'total-mismatch': 1 },
      reasons: [
        {
          code: 'total-mismatch',
          reason: 'Calculated total (…) does not match order_value (…)',
          count: 1,
          first: rejected.ts,
          last: rejected.ts,
          example: invalid,
        },
      ],
    },
  },
  'get /orders/invalid/{id}': { params: { id: invalid.id }, reply: invalid },
  'put /orders/invalid/{id}': { params: { id: invalid.id }, body: order, reply: accepted },
  'delete /orders/invalid/{id}': {
    params: { id: invalid.id },
    body: { reason: 'A test order.' },
    reply: { status: 'discarded', id: invalid.id },
  },
  'post /orders/reprocess': { body: order, reply: accepted },
  'post /orders/replay': {
    body: { limit: 100, code: 'total-mismatch', dry_run: true },
    reply: { status: 'accepted', message: 'Dry run accepted.', job_id: replayId, matching: 1 },
  },
  'post /orders/{user_id}/{order_id}/cancel': {
    params: { user_id: 'user_7', order_id: '6f1c2a9e' },
    body: { reason: 'The customer changed their mind.' },
    reply: { ...accepted, message: 'Correction sent.' },
  },
  'post /orders/{user_id}/{order_id}/refund': {
    params: { user_id: 'user_7', order_id: '6f1c2a9e' },
    body: { amount: 50.25, reason: 'One item was damaged.', event_id: 'refund-1' },
    reply: { ...accepted, message: 'Correction sent.' },
  },
  'post /orders/{user_id}/{order_id}/amend': {
    params: { user_id: 'user_7', order_id: '6f1c2a9e' },
    body: {
      order_value: 100.5,
      items: [{ product_id: 'P001', quantity: 2, price_per_unit: 50.25 }],
      reason: 'One item was out of stock.',
    },
    reply: { ...accepted, message: 'Correction sent.' },
  },
  'get /undos': { reply: { undos: [undone] } },
  'post /undos': {
    body: { name: 'double charge', from: '00:00', where: { source: 'shop' } },
    reply: { status: 'accepted', message: 'Undo accepted.', job_id: undoId },
  },
  'get /undos/{name}': { params: { name: 'double charge' }, reply: undone },
  'post /undos/{name}/redo': {
    params: { name: 'double charge' },
    reply: { status: 'accepted', message: 'Redo accepted.', job_id: undoId },
  },
  'post /dlq/redrive': {
    body: { limit: 1_000, rate: 50 },
    reply: { status: 'accepted', message: 'Redrive accepted.', job_id: redriveId },
  },
  'get /jobs/{id}': {
    params: { id: jobId },
    reply: {
      id: jobId,
      queue: 'reprocess',
      state: 'completed',
      attempts: 1,
      progress: null,
      verdict: { verdict: 'admitted' },
      result: { verdict: 'admitted' },
      failure: null,
      warning: null,
    },
  },
  'delete /jobs/{id}': { params: { id: replayId }, reply: { status: 'stopping', id: replayId, sent: 100 } },
}
