import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config.ts'
import { generated, read } from '../../../tools/generate.ts'

test.each([...generated()])('%s says what the code says (npm run docs writes it)', (file, text) => {
  expect(read(file)).toBe(text)
})

test('.env.example sets nothing as it is, and the defaults when it is uncommented', () => {
  const text = read('.env.example')
  expect(parseEnv(text)).toEqual({})
  expect(readConfig(parseEnv(text.replaceAll(/^#(?=\w)/gm, '')))).toEqual(readConfig({}))
})
