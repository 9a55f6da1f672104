import { expect, test } from 'vitest'
import {
  type DeadLetterView,
  deadLetterJson,
  deadLetterLines,
  verdictsText,
} from '../../../../../src/ops/terminal/jobs/dead-letters-text.ts'
import type { DeadLetter } from '../../../../../src/reads/dead-letters/dead-letters.ts'
import { plainFormat } from '../../../../support/plain-format.ts'

const now = new Date('2026-11-29T12:00:00.000Z')
const hour = 3_600_000
const letter = (id: string, verdict: DeadLetter['verdict'], hoursAgo = 1): DeadLetter => ({
  record: { id, body: JSON.stringify({ user_id: 'u', order_id: id }) },
  sentMs: now.getTime() - hoursAgo * hour,
  verdict,
})
const mismatch = { verdict: 'rejected', code: 'total-mismatch', reason: 'Calculated total (5) …' } as const
const missing = { verdict: 'rejected', code: 'missing-field', reason: 'Missing required field: user_id' } as const
const view = (more: Partial<DeadLetterView>): DeadLetterView => ({
  ...{ name: 'orders-dlq', isFifo: false, messages: 0, inFlight: 0, maxReceiveCount: undefined, letters: [] },
  ...more,
})

test('the verdicts are one sentence, the most frequent code first', () => {
  const many = [
    ...Array.from({ length: 41 }, () => ({ verdict: { verdict: 'admitted' } as const })),
    ...Array.from({ length: 3 }, () => ({ verdict: { verdict: 'duplicate' } as const })),
    ...Array.from({ length: 3 }, () => ({ verdict: missing })),
    ...Array.from({ length: 9 }, () => ({ verdict: mismatch })),
  ]
  expect(verdictsText(many)).toBe(
    '41 would be accepted, 3 are duplicates, 12 invalid: total-mismatch (9), missing-field (3)',
  )
  expect(verdictsText([{ verdict: { verdict: 'duplicate' } }])).toBe('0 would be accepted, 1 is a duplicate, 0 invalid')
})

test('a look names the oldest that was looked at, and an example of each verdict', () => {
  const letters = [letter('a', { verdict: 'admitted' }), letter('b', mismatch, 50), letter('c', mismatch)]
  expect(deadLetterLines(view({ messages: 4, inFlight: 1, letters }), plainFormat, now)).toEqual([
    'The dead-letter queue orders-dlq has 5 messages, 1 of them with another',
    'consumer. The oldest of 3 was sent 2026-11-27T10:00:00.000Z, 2 d ago.',
    'Of the 3 messages looked at: 1 would be accepted, 0 are duplicates, 2 invalid:',
    'total-mismatch (2).',
    '  accepted, such as order a of u message a',
    '  total-mismatch, such as order b of u message b: Calculated total (5) …',
    'To bring them back: orders dlq redrive --dry-run, then orders dlq redrive',
  ])
  expect(deadLetterJson(view({ messages: 3, letters }), plainFormat)).toMatchObject({
    ...{ queue: 'orders-dlq', messages: 3, in_flight: 0, oldest: '2026-11-27T10:00:00.000Z' },
    looked_at: [
      { message_id: 'a', user_id: 'u', order_id: 'a', verdict: 'admitted' },
      { message_id: 'b', verdict: 'rejected', code: 'total-mismatch' },
      { message_id: 'c' },
    ],
  })
})

test('an empty queue, and one whose messages others have, need no verdict', () => {
  expect(deadLetterLines(view({}), plainFormat, now)).toEqual(['The dead-letter queue orders-dlq is empty.'])
  expect(deadLetterLines(view({ inFlight: 2 }), plainFormat, now).join(' ')).toBe(
    'The dead-letter queue orders-dlq has 2 messages, 2 of them with another consumer. None of them was delivered: look again in a moment.',
  )
})

test('a redrive policy of its own, and the groups of a FIFO queue, are mentioned', () => {
  const letters = [letter('a', { verdict: 'admitted' })]
  const text = (more: Partial<DeadLetterView>): string =>
    deadLetterLines(view({ messages: 1, letters, ...more }), plainFormat, now).join(' ')
  expect(text({ maxReceiveCount: 3 })).toContain('takes a message away after 3 receives')
  expect(text({ isFifo: true })).toContain('Of one message group of a FIFO queue only the first ten')
  expect(text({})).not.toMatch(/receives|FIFO/)
})
