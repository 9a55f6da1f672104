import { expect, test } from 'vitest'
import { actionNamed } from '../../../../src/control/audit-actions.ts'
import { auditLines } from '../../../../src/ops/terminal/audit-text.ts'

const now = new Date('2026-11-28T15:21:17.000Z')
const entry = (action: string, what: unknown, outcome = 'done') => ({
  ...{ id: '1-0', ts: '2026-11-28T15:18:16.335Z', by: 'ada', action, outcome },
  what: typeof what === 'string' ? what : JSON.stringify(what),
})

const entries = [
  entry('edit', { id: '1764-0', body: { user_id: 'u', note: 'a\nb', more: 'x'.repeat(100) }, job: 'reprocess-1' }),
  entry('pause', { component: 'bridge', reason: 'r' }, 'begun'),
  entry('discard', { params: { id: '1764-1' }, body: { reason: 'old' } }, '200'), // by an earlier version
  entry('replay', '{"cut', '500'),
]

test('an entry is one line in a pipe, with what it was about as compact JSON', () => {
  expect(auditLines(entries, now)).toEqual([
    `2026-11-28T15:18:16.335Z  3 min ago  ada  edit     1764-0 reprocess-1  {"user_id":"u","note":"a\\nb","more":"${'x'.repeat(100)}"}`,
    '2026-11-28T15:18:16.335Z  3 min ago  ada  pause    bridge  {"reason":"r"}  (begun, not ended)',
    '2026-11-28T15:18:16.335Z  3 min ago  ada  discard  1764-1  {"reason":"old"}',
    '2026-11-28T15:18:16.335Z  3 min ago  ada  replay   {"cut  (500)',
  ])
})

test('on a terminal a long one takes two lines, and is cut', () => {
  const [head, about = '', ...rest] = auditLines(entries, now, 80)
  expect(head).toBe('2026-11-28T15:18:16.335Z  3 min ago  ada  edit')
  expect(about).toMatch(/^ {2}1764-0 reprocess-1 {2}\{"user_id":"u","note":"a\\nb","more":"x+…$/)
  expect(rest).toHaveLength(4)
  expect(Math.max(...rest.map((line) => line.length), about.length)).toBe(80)
})

test('routes and commands that earlier versions recorded have the word of today', () => {
  const earlier = [
    'PUT /orders/invalid/{id}',
    'orders replay',
    'POST /orders/replay',
    'orders verify --repair',
    'pause',
  ]
  expect(earlier.map(actionNamed)).toEqual(['edit', 'replay', 'replay', 'repair', 'pause'])
  expect(['PUT /admin/queues', 'orders adopt', 'POST /mine'].map(actionNamed)).toEqual([
    'queues',
    'adopt',
    'POST /mine',
  ])
})
