import { expect, test } from 'vitest'
import { z } from 'zod'
import { issueText } from '../../../src/api/issue-text.ts'

const body = z.strictObject({
  amount: z.number().max(9),
  ids: z.array(z.string()).min(1).optional(),
  reason: z.string().min(1).max(3),
  code: z.enum(['one', 'two']).optional(),
  by: z.enum(['spend', 'orders'], 'must be spend or orders').optional(),
})
const right = { amount: 1, reason: 'why' }

test.each([
  [{ ...right, amount: '1' }, 'must be a number'],
  [{ ...right, amount: 10 }, 'must be at most 9'],
  [{ ...right, reason: 7 }, 'must be a text'],
  [{ ...right, reason: '' }, 'must have at least 1 character'],
  [{ ...right, reason: 'since' }, 'must have at most 3 characters'],
  [{ ...right, ids: [] }, 'must have at least 1 element'],
  [{ ...right, ids: null }, 'must be a list'],
  [{ ...right, code: 'three' }, 'must be one of one, two'],
  [{ ...right, by: 'name' }, 'must be spend or orders'],
  [{ ...right, other: 1 }, 'is not known'],
  [{ reason: 'why' }, 'is required'],
])('%j: %s', (value, text) => {
  expect(body.safeParse(value).error?.issues.map(issueText)).toEqual([text])
})
