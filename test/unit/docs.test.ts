import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { generated, read } from '../../docs/generate.ts'
import { readConfig } from '../../src/config.ts'

test.each([...generated()])('%s says what the code says (npm run docs writes it)', (file, text) => {
  expect(read(file)).toBe(text)
})

test('.env.example sets nothing as it is, and the defaults when it is uncommented', () => {
  const text = read('.env.example')
  expect(parseEnv(text)).toEqual({})
  expect(readConfig(parseEnv(text.replaceAll(/^#(?=\w)/gm, '')))).toEqual(readConfig({}))
})
