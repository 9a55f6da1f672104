import { expect, test } from 'vitest'
import { z } from 'zod'
import { openApiDocument } from '../../../../src/api/http/openapi.ts'
import { defineRoute, rightOf } from '../../../../src/api/http/route.ts'

const search = defineRoute({
  method: 'post',
  path: '/stats/search',
  summary: 'Finds users.',
  body: z.object({ name: z.string() }),
  reply: z.array(z.string()),
  handle: async () => [],
})

test('a route with a body that does not write is as open as any other read', () => {
  expect(rightOf(search)).toBe('numbers')
  const operation = openApiDocument([search]).paths?.['/stats/search']?.post
  expect(operation?.security).toEqual([])
  expect(JSON.stringify(operation?.parameters ?? [])).not.toContain('X-Operator')
  expect(Object.keys(operation?.responses ?? {})).toEqual(expect.arrayContaining(['400', '413', '415']))
})
