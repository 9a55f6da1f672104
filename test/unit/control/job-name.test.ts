import { expect, test } from 'vitest'
import { redriveName, replayName, reprocessName } from '../../../src/control/job-name.ts'
import { plainFormat } from '../../support/plain-format.ts'

test('the name of a job says whose order it sends and who asked', () => {
  const body = '{"user_id":"user_7","order_id":12345678901234567890,"order_value":1}'
  expect(reprocessName({ body }, plainFormat, 'ann')).toBe('order 12345678901234567890 of user_7 by ann')
  const edit = { invalidId: '1-0', by: 'ann' }
  expect(reprocessName({ body, edit }, plainFormat, 'ann')).toBe('edit of order 12345678901234567890 of user_7 by ann')
  expect(reprocessName({ body: '{' }, plainFormat, 'ann')).toBe('order by ann')
})

test('a hostile id neither fills the list nor turns it around', () => {
  const body = JSON.stringify({ user_id: '\u202eresu', order_id: 'x'.repeat(256) })
  expect(reprocessName({ body }, plainFormat, 'ann')).toBe(`order ${'x'.repeat(39)}… of \ufffdresu by ann`)
})

test('the name of a replay says of what and who asked', () => {
  const data = { limit: 10, dryRun: false, until: '1-0' }
  expect(replayName(data, 'ann')).toBe('replay of up to 10 orders by ann')
  expect(replayName({ ...data, code: 'bad-value', dryRun: true }, 'ann')).toBe(
    'dry run of up to 10 orders, bad-value only, by ann',
  )
  expect(replayName({ ...data, ids: ['1-0'] }, 'ann')).toBe('replay of 1 order by ann')
})

test('the name of a redrive says how many and who asked', () => {
  expect(redriveName({ limit: 1_000, dryRun: false }, 'ann')).toBe('redrive of up to 1,000 messages by ann')
  expect(redriveName({ limit: 10, dryRun: true }, 'ann')).toBe('dry run of a redrive of up to 10 messages by ann')
})
