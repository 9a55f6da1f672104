import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineCommand, flag, parseCall, wholeNumber } from '../../../src/ops/command.ts'

const command = defineCommand({
  ...{ name: 'send', about: '', examples: ['send'], page: '' },
  options: {
    body: { hint: 'TEXT', about: '', onlyWith: ['aws'], schema: z.string().optional() },
    valid: wholeNumber('', 50),
    aws: flag(''),
  },
  run: async () => {},
})

test('an option that another one makes useless is refused', () => {
  expect(() => parseCall(command, ['--valid', '400', '--body', '{}'])).toThrow(
    /^orders send: --valid has no effect together with --body: see orders send --help\.$/,
  )
  expect(parseCall(command, ['--body', '{}', '--aws']).options).toMatchObject({ body: '{}', aws: true, valid: 50 })
  expect(parseCall(command, ['--valid', '400']).options).toMatchObject({ valid: 400 })
})
