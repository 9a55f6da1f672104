import { expect, test } from 'vitest'
import type { Snapshot } from '../../../../src/api/live/snapshot.ts'
import { findingLines } from '../../../../src/ops/commands/inspect/doctor.ts'
import { statusLines } from '../../../../src/ops/commands/inspect/status.ts'
import { snapshotLines } from '../../../../src/ops/commands/inspect/tail.ts'
import { topLines } from '../../../../src/ops/commands/inspect/top.ts'
import { auditLines } from '../../../../src/ops/terminal/audit-text.ts'
import { invalidRows } from '../../../../src/ops/terminal/invalid-text.ts'
import { deadLetterLines } from '../../../../src/ops/terminal/jobs/dead-letters-text.ts'
import { jobRows, resultLines } from '../../../../src/ops/terminal/jobs/job-text.ts'
import { locationLines } from '../../../../src/ops/terminal/location-text.ts'
import { type Output, textOf } from '../../../../src/ops/terminal/output.ts'
import { verificationLines } from '../../../../src/ops/terminal/verification-text.ts'
import type { DeadLetter } from '../../../../src/reads/dead-letters/dead-letters.ts'
import type { OrderLocation } from '../../../../src/reads/locate/locate.ts'
import type { Status } from '../../../../src/reads/status.ts'
import { plainFormat } from '../../../support/plain-format.ts'

const many = 9_876_543_210
const id = 'x'.repeat(256)
const reason = 'a reason of an operator '.repeat(40).trim()
const ts = '2026-11-28T15:18:16.335Z'
const now = new Date('2026-11-28T15:21:17.000Z')
const pause = { by: id, ts, reason }
const job = 'replay-25ab03d5-effe-42f8-92e5-c0275efde839'
const day = 86_400_000

const stages = ['validate', 'aggregate', 'leaderboard']
const stall = `No process runs aggregate. ${many} orders wait, the oldest for 12 days.`

const status: Status = {
  atMs: now.getTime(),
  counters: {
    ...{ received: 2 * many, replayed: many, admitted: many, duplicates: many, rejected: many },
    ...{ 'validate:lost': many, ranked: many },
  },
  totals: { orders: many, minor: many * 1_000 },
  invalid: many,
  archive: null,
  bridge: { processes: 1, stall: null },
  stages: stages.map((stage) => ({
    ...{ stage, waiting: many, unaccounted: many, pending: many, oldestPendingMs: 400 * day, lag: many },
    ...{ consumers: many, oldestWaitingMs: 400 * day, processes: many, stall: stage === 'aggregate' ? stall : null },
  })),
  paused: { validate: pause },
  deadLetters: { messages: many, since: ts, at: ts },
  unread: [{ reading: 'counters', why: `${id} is a list, not a hash` }],
}

const snapshot: Snapshot = {
  at: now.toISOString(),
  hops: ['bridge', ...stages].map((name) => ({
    ...{ name, after: 'sqs', per_second: 99_999, waiting: many, p50_ms: 98_765_432, p99_ms: 98_765_432, pending: many },
    ...{ oldest_pending_ms: 400 * day, oldest_waiting_ms: 400 * day, processes: many, consumers: many },
    ...{ stall: name === 'aggregate' ? stall : null, paused: name === 'validate' ? pause : null },
  })),
  sqs: { visible: many, in_flight: many, dead_letters: many },
  totals: {
    ...{ received: 2 * many, replayed: many, admitted: many, duplicates: many },
    ...{ corrected: many, rejected: many, waiting: many },
    ...{ counted: many, ranked: many, revenue_minor: many * 1_000, invalid: many },
  },
  critical: { p50_ms: many, p99_ms: many },
  timeline: { from: ts, slot_ms: 5_000, ranked: [], rejected: [], p50_ms: [], p99_ms: [] },
  top: {
    spend: [{ user_id: id, spend_minor: many * 100 }],
    orders: [{ user_id: id, orders: many }],
  },
  failed: [
    {
      code: 'bad-value',
      reason,
      count: many,
      first: ts,
      last: ts,
      last_minute: 1,
      minute_before: 1,
      example: { id: '1-0' },
    },
  ],
  books: { balanced: false, differences: [reason], lost: 0, notes: [] },
  memory: { used_bytes: many, most_bytes: many },
  unread: [],
}

const step = {
  done: 'yes',
  not_before: '2026-11-21T00:00:00.000Z',
  not_after: now.toISOString(),
  because: reason,
} as const
const rejected = { id: '1764000000000-0', code: 'bad-value', reason, ts, attempts: many, edits: [{ by: id, ts }] }
const held = { stage: 'validate', state: 'pending', consumer: id, held_ms: many, deliveries: many } as const
const location: OrderLocation = {
  ...{ user_id: id, order_id: id, at: now.toISOString(), where: 'ranked', amount: many },
  ...{ net: many - 1, cancelled: false, order_timestamp: ts, day: null },
  corrections: [
    {
      ...{ kind: 'refunded', event_id: id, state: 'accepted', since: ts, amount: many, change: -many },
      order_timestamp: ts,
      day: { day: '2026-11-30', timezone: 'America/Argentina/Buenos_Aires', dated: 'misdated' },
      waiting: { stream: 'orders:valid', entry: '1764000000000-0', since: ts, held_by: [held] },
      rejected,
    },
  ],
  ...{ received: step, admitted: step, applied: step, ranked: { ...step, done: 'unknown' } },
  waiting: [{ stream: 'orders:raw', entry: '1764000000000-0', since: ts, held_by: [held], message: id, jobId: job }],
  counted: [],
  invalid: [rejected],
  discarded: [{ at: ts, by: id, why: reason, rejected }],
  sent: [
    { at: ts, by: id, correction: 'refund', reason, job_id: job, verdict: null },
    { at: ts, by: id, invalid_id: '1764000000000-0', job_id: job, verdict: 'admitted' },
  ],
  duplicates: { total: many, because: reason },
  scanned: [{ stream: 'orders:raw', entries: many, of: many, whole: false, more: true }],
  settled: true,
}

const verification = {
  verdict: 'wrong' as const,
  books: {
    ...{ received: many, admitted: many, duplicates: many, rejected: many, lost: many, waiting: many, applied: many },
    stages: stages.map((stage) => ({
      ...{ stage, in: many, passed: many, duplicates: many, rejected: many, missed: many, lost: many },
      ...{ waiting: many, measured: many, foreign: many },
    })),
    totals: { orders: many, minor: many * 1_000 },
    invalid: { stream: many, list: many, groups: many },
    ...{ balanced: false, losses: [reason], differences: [reason], notes: [reason], unread: [] },
  },
  incidents: [{ ts, text: reason }],
}

const what = JSON.stringify({ id: '1764000000000-0', body: { user_id: id, order_id: id, items: ['a\nb'] } })
const entry = { id: '1764000000000-0', ts, by: id, action: 'write-off', what, outcome: 'begun' }
const record = JSON.stringify({ id: '1764000000000-0', code: 'total-mismatch', order: { user_id: id, order_id: id } })
const result = { dry_run: false, sent: many, admitted: many, duplicate: many, conflict: many, returned: many }

const letter: DeadLetter = {
  record: { id, body: JSON.stringify({ user_id: id, order_id: id }) },
  sentMs: now.getTime() - day,
  verdict: { verdict: 'rejected', code: 'total-mismatch', reason },
}
const letters = { name: id, isFifo: true, messages: many, inFlight: many, maxReceiveCount: 3, letters: [letter] }

const outputs: Readonly<Record<string, Output>> = {
  status: statusLines(status, plainFormat.money, many),
  tail: snapshotLines(snapshot),
  verify: verificationLines(verification as unknown as Parameters<typeof verificationLines>[0], {
    now: () => now,
    format: plainFormat,
  }),
  doctor: findingLines([{ check: 'append-only file', level: 'warning', found: reason, advice: reason }]),
  trace: locationLines(location, plainFormat.money),
  audit: auditLines([entry], now, 80),
  top: topLines('spend', { users: [{ userId: id, score: many * 100 }], offset: 0 } as never, plainFormat.money),
  invalid: invalidRows([record], plainFormat, now),
  dlq: deadLetterLines(letters, plainFormat, now),
  jobs: jobRows(
    [{ job: { id: job, timestamp: 0, data: {}, queueName: 'replay' }, state: 'prioritized' } as never],
    now,
  ),
  result: resultLines({ ...result, rejected: { 'total-mismatch': many, conflict: many } }),
}

test.each(Object.entries(outputs))('%s: no line is longer than 80 columns but one word to copy', (_, output) => {
  const lines = textOf(output, { width: 80 }).trimEnd().split('\n')
  expect(lines.filter((line) => line.length > 80 && line.trim().includes(' '))).toEqual([])
})

test('rows of a table are not broken: what is too wide is cut or shortened', () => {
  const rowsOf = (output: Output): string[] => textOf(output).split('\n')
  expect(rowsOf(outputs['status'] ?? []).filter((row) => /^(stage|validate|aggregate|leaderboard) /.test(row))).toEqual(
    [
      'stage        processes  waiting  oldest  pending     lag',
      'validate        9.88 B   9.88 B    400d   9.88 B  9.88 B',
      'aggregate       9.88 B   9.88 B    400d   9.88 B  9.88 B',
      'leaderboard     9.88 B   9.88 B    400d   9.88 B  9.88 B',
      expect.stringMatching(/^validate is paused by /),
    ],
  )
  const ofTail = rowsOf(outputs['tail'] ?? []).filter((row) =>
    /^(hop|bridge|validate|bad-value|1\.|by spend) /.test(row),
  )
  expect(ofTail.filter((row) => row.length > 80)).toEqual([expect.stringMatching(/^validate is paused by /)])
  expect(rowsOf(outputs['verify'] ?? [])).toContain('duplicates  9,876,543,210  9,876,543,210  9,876,543,210')
})

test('color marks what has failed and what is paused, and moves no column', () => {
  const paint = (color: string, text: string): string => `<${color}>${text}</${color}>`
  const lines = textOf(statusLines(status, plainFormat.money), { paint }).split('\n')
  const plain = textOf(statusLines(status, plainFormat.money)).split('\n')
  expect(lines.map((line) => line.replaceAll(/<\/?\w+>/g, ''))).toEqual(plain)
  const colored = (color: string): string[] =>
    lines
      .filter((line) => line.startsWith(`<${color}>`))
      .map((line) => line.slice(color.length + 2).split(/[ .:]/)[0] ?? '')
  expect(colored('red')).toEqual(['aggregate', 'No', 'Stage', 'Stage', 'Stage', '9,876,543,210'])
  expect(colored('yellow')).toEqual(['validate', 'validate', 'Cannot'])
})
