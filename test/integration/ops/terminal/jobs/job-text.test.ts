import { expect, test } from 'vitest'
import { isIncomplete, resultLines } from '../../../../../src/ops/terminal/jobs/job-text.ts'

const result = { dry_run: false, sent: 13, admitted: 1, duplicate: 1, conflict: 2, returned: 0, rejected: {} }

test('all that a replay had rejected again is one number, with the codes below it, conflicts among them', () => {
  expect(resultLines({ ...result, rejected: { 'bad-value': 8, 'bad-items': 1 } })).toEqual([
    'sent         13',
    'admitted      1',
    'duplicate     1',
    'rejected     11',
    '  conflict    2',
    '  bad-value   8',
    '  bad-items   1',
    'To look at them: orders invalid',
  ])
})

test('the last line names the one code, and is absent where nothing was rejected', () => {
  expect(resultLines({ ...result, rejected: {} }).at(-1)).toBe('To look at them: orders invalid --code conflict')
  expect(resultLines({ ...result, conflict: 0 }).at(-1)).toBe('rejected    0')
})

test('a dry run names what would be rejected in the same way', () => {
  expect(resultLines({ ...result, dry_run: true, conflict: 0, rejected: { 'bad-value': 1_000 } })).toEqual([
    'Dry run, nothing was sent.',
    'would keep the rules      1',
    'duplicate                 1',
    'would be rejected     1,000',
    '  bad-value           1,000',
    'To look at them: orders invalid --code bad-value',
  ])
})

test('after a dry run of a redrive the orders are where they were', () => {
  expect(resultLines({ ...result, dry_run: true, rejected: {} }, 'dlq').at(-1)).toBe('To look at them: orders dlq')
  expect(resultLines({ ...result, rejected: {} }, 'dlq').at(-1)).toBe('To look at them: orders invalid --code conflict')
})

test('the answer is no if an order was rejected again or the replay was cancelled; a dry run only asks', () => {
  const all = { ...result, conflict: 0 }
  expect(isIncomplete(all)).toBe(false)
  expect(isIncomplete({ ...all, rejected: { 'bad-value': 1 } })).toBe(true)
  expect(isIncomplete({ ...all, dry_run: true, rejected: { 'bad-value': 1 } })).toBe(false)
  expect([true, false].map((dry_run) => isIncomplete({ ...all, dry_run, cancelled: true }))).toEqual([true, true])
})
