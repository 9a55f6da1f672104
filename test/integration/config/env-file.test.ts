import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readEnvFile } from '../../../src/config/env-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'orders-env-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const text = 'API_PORT=9001\r\n# note: café\r\nADMIN_TOKEN="a b\u00e9"\r\n'
const mark = '\uFEFF'

test.each([
  ['UTF-8', Buffer.from(text)],
  ['UTF-8 with a byte order mark', Buffer.from(mark + text)],
  ['UTF-16 little endian', Buffer.from(mark + text, 'utf16le')],
  ['UTF-16 big endian', Buffer.from(mark + text, 'utf16le').swap16()],
  ['UTF-16 little endian without a mark', Buffer.from(text, 'utf16le')],
  ['UTF-16 big endian without a mark', Buffer.from(text, 'utf16le').swap16()],
  ['LF', Buffer.from(text.replaceAll('\r', ''))],
])('a file in %s gives its variables', (_, bytes) => {
  writeFileSync(join(folder, '.env'), bytes)
  expect({ ...readEnvFile(join(folder, '.env')) }).toEqual({ API_PORT: '9001', ADMIN_TOKEN: 'a bé' })
})

test.each([
  ['missing', undefined],
  ['empty', ''],
  ['one character', 'A'],
  ['a byte order mark alone', mark],
])('a file that is %s gives none', (_, content) => {
  if (content !== undefined) writeFileSync(join(folder, '.env'), content)
  expect({ ...readEnvFile(join(folder, '.env')) }).toEqual({})
})

test('a folder of that name is one plain sentence', () => {
  mkdirSync(join(folder, '.env'))
  expect(() => readEnvFile(join(folder, '.env'))).toThrow(
    /\.env cannot be read \(EISDIR.*\): make it a file that this user may read, or remove it\.$/,
  )
})
