import type { Examples } from './example.ts'

const at = '2026-11-23T10:00:05.000Z'
const paused = { component: 'validate', paused: true, by: 'ann', ts: at, reason: 'A new rule comes.' }
const working = { per_second: 12.5, p50_ms: 3, p99_ms: 8, paused: null, processes: 1, stall: null }
const idle = { waiting: 0, pending: 0, oldest_pending_ms: null, oldest_waiting_ms: null, consumers: 1 }
const unmeasured = { pending: null, oldest_pending_ms: null, oldest_waiting_ms: null, consumers: null }
const bookedOf = (stage: string) => ({
  stage,
  in: 2,
  passed: 2,
  corrected: 0,
  duplicates: 0,
  rejected: 0,
  missed: 0,
  lost: 0,
  foreign: 0,
  waiting: 0,
  measured: 0,
  balanced: true,
})

/** The system: its books, its state, its pauses. */
export const systemExamples: Examples = {
  'get /integrity': {
    reply: {
      balanced: true,
      received: 2,
      admitted: 2,
      corrected: 0,
      duplicates: 0,
      rejected: 0,
      lost: 0,
      waiting: 0,
      stages: ['validate', 'aggregate', 'leaderboard'].map(bookedOf),
      applied: 2,
      total_orders: 2,
      total_revenue: 150.75,
      invalid: { stream: 0, list: 0, groups: 0, balanced: true },
      losses: [],
      differences: [],
      notes: [],
      unread: [],
      incidents: [],
    },
  },
  'get /live/snapshot': {
    reply: {
      at,
      hops: [
        { name: 'bridge', after: 'sqs', ...working, waiting: 0, ...unmeasured },
        { name: 'validate', after: 'bridge', ...working, ...idle },
      ],
      sqs: { visible: 0, in_flight: 3, dead_letters: 0 },
      totals: {
        received: 2,
        replayed: 0,
        admitted: 2,
        corrected: 0,
        duplicates: 0,
        rejected: 0,
        waiting: 0,
        counted: 2,
        ranked: 2,
        revenue_minor: 15_075,
        invalid: 0,
      },
      critical: { p50_ms: 5, p99_ms: 12 },
      timeline: { from: at, slot_ms: 10_000, ranked: [2], rejected: [0], p50_ms: [5], p99_ms: [12] },
      top: { spend: [{ user_id: 'user_7', spend_minor: 15_075 }], orders: [{ user_id: 'user_7', orders: 2 }] },
      failed: [],
      books: { balanced: true, differences: [], lost: 0, notes: [] },
      memory: { used_bytes: 3_100_000, most_bytes: null },
      currency: 'EUR',
      decimals: 2,
      unread: [],
    },
  },
  'get /admin/pauses': { reply: { components: [{ component: 'bridge', paused: false }, paused] } },
  'post /admin/pause/{component}': {
    params: { component: 'validate' },
    body: { reason: 'A new rule comes.' },
    reply: { ...paused, changed: true, message: 'validate is paused.' },
  },
  'post /admin/resume/{component}': {
    params: { component: 'validate' },
    body: {},
    reply: { component: 'validate', paused: false, changed: true, message: 'validate is resumed.' },
  },
  'post /admin/drain': {
    body: { reason: 'Maintenance of Redis.' },
    reply: {
      component: 'bridge',
      paused: true,
      by: 'ann',
      ts: at,
      reason: 'Maintenance of Redis.',
      changed: true,
      message: 'bridge is paused.',
      waiting: { validate: 0, aggregate: 0, leaderboard: 0 },
    },
  },
  'get /admin/audit': {
    query: { limit: 50 },
    reply: [
      {
        id: '1764000000000-0',
        ts: at,
        action: 'pause',
        by: 'ann',
        what: { component: 'validate', reason: 'A new rule comes.' },
        outcome: 'done',
      },
    ],
  },
  'get /livez': { reply: { status: 'ok', loops: { api: 12 } } },
  'get /readyz': { reply: { status: 'ok', checks: { redis: 'ok', sqs: 'ok' } } },
}
