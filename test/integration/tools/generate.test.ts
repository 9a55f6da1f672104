import { parseEnv } from 'node:util'
import { expect, test, vi } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { generated, read } from '../../../tools/generate.ts'

vi.unmock('../../../src/stages/pipeline.ts') // pages are of the list that this clone has

test.each([...generated()])('%s says what the code says (npm run docs writes it)', (file, text) => {
  expect(read(file)).toBe(text)
})

test('.env.example sets nothing as it is, and the defaults when it is uncommented', () => {
  const text = read('.env.example')
  expect(parseEnv(text)).toEqual({})
  expect(readConfig(parseEnv(text.replaceAll(/^#(?=\w)/gm, '')))).toEqual(readConfig({}))
})

test('the page of events lists the fields of events declared on one line and on several', () => {
  const page = generated().get('docs/reference/events.md')
  expect(page).toMatch(/^\| `deleted` \| debug \| .* \| `messages` \|$/m)
  const ids = '`stage`, `partition`, `entries`, `firstEntryId`, `lastEntryId`'
  const fields = `${ids}, \`passed\`, \`duplicates\`, \`rejected\`, \`durationMs\``
  expect(page).toMatch(new RegExp(`^\\| \`committed\` .* \\| ${fields} \\|$`, 'm'))
})
