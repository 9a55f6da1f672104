import { expect, test } from 'vitest'
import { groupNamed } from '../../../../src/stages/runner/groups.ts'

test('a group is found by its name, with its fields; one that is missing, or a reply of another form, is undefined', () => {
  const reply = [
    ['name', 'validate', 'pending', 2, 'last-delivered-id', '1-1', 'lag', null],
    ['name', 'other', 'pending', 3, 'last-delivered-id', '2-1', 'lag', 4],
  ]
  expect(groupNamed(reply, 'validate')).toEqual({
    name: 'validate',
    pending: 2,
    'last-delivered-id': '1-1',
    lag: null,
  })
  expect(groupNamed(reply, 'other')).toMatchObject({ pending: 3, lag: 4 })
  expect([groupNamed(reply, 'pending'), groupNamed(null, 'validate')]).toEqual([undefined, undefined])
})
