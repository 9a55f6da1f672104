import { expect, test } from 'vitest'
import { groupOf, type RejectCode, rejectGroupNames, rejectGroups } from '../../src/reject-codes.ts'

test('a reason of ours is in its own group', () => {
  for (const group of rejectGroupNames) {
    const code = group.split(':')[0] as RejectCode
    expect(groupOf({ code, reason: rejectGroups[group] })).toBe(group)
  }
})

test.each([
  ['Missing field: order_id', 'missing-field', 'missing-field:order_id'],
  ['KeyError: order_value', 'missing-field', 'missing-field:order_value'],
  ['something is missing', 'missing-field', 'missing-field:user_id'],
  ['order_id is empty', 'bad-identity', 'bad-identity:order_id'],
] as const)('a reason in other words is in the group of the field that it names: %s', (reason, code, group) => {
  expect(groupOf({ code, reason })).toBe(group)
})
