import { expect, test } from 'vitest'
import { parseCall } from '../../../src/ops/command.ts'
import { command } from '../../../src/ops/commands/operate/populate.ts'

test('an option that another one makes useless is refused', () => {
  expect(() => parseCall(command, ['--valid', '400', '--body', '{}'])).toThrow(
    /^orders populate: --valid has no effect together with --body: see orders populate --help\.$/,
  )
  expect(parseCall(command, ['--body', '{}', '--aws']).options).toMatchObject({ body: '{}', aws: true, valid: 50 })
})
