import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
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

test('a file with a line that PowerShell 5 has appended in another encoding is one plain sentence', () => {
  writeFileSync(join(folder, '.env'), Buffer.concat([Buffer.from('API_PORT=9001\n'), Buffer.from('A=1\n', 'utf16le')]))
  expect(() => readEnvFile(join(folder, '.env'))).toThrow(
    /\.env has lines in two encodings, as PowerShell 5 appends them: save it as UTF-8\.$/,
  )
})

test('a folder of that name is one plain sentence', () => {
  mkdirSync(join(folder, '.env'))
  expect(() => readEnvFile(join(folder, '.env'))).toThrow(
    /\.env cannot be read \(EISDIR.*\): make it a file that this user can read, or remove it\.$/,
  )
})

describe('.env of the working folder', () => {
  /** The configuration of a process started in a folder with this `.env`. */
  function configIn(dotEnv: string | Buffer | undefined, env: Record<string, string>): Config {
    if (dotEnv !== undefined) writeFileSync(join(folder, '.env'), dotEnv)
    const source = new URL('../../../src/config/config.ts', import.meta.url).href
    const script = `import { processEnv, readConfig } from '${source}'; console.log(JSON.stringify(readConfig(processEnv())))`
    return JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, env, encoding: 'utf8' }),
    )
  }

  test('is read, and the real environment wins', () => {
    const config = configIn('API_PORT=9001\nSQS_QUEUE_NAME=from_file\n', { API_PORT: '9002' })
    expect(config).toMatchObject({ apiPort: 9002, sqsQueueName: 'from_file', awsRegion: 'us-east-1' })
  })

  test('may be missing', () => {
    expect(configIn(undefined, { API_PORT: '9002' }).apiPort).toBe(9002)
  })

  test('may begin with a byte order mark: its first line counts', () => {
    expect(configIn('\uFEFFAPI_PORT=9001\nSQS_QUEUE_NAME=second\n', {})).toMatchObject({
      apiPort: 9001,
      sqsQueueName: 'second',
    })
  })

  test('may be UTF-16 with CRLF, as PowerShell writes it', () => {
    const dotEnv = Buffer.from('\uFEFFAPI_PORT=9001\r\nSQS_QUEUE_NAME=second\r\n', 'utf16le')
    expect(configIn(dotEnv, {})).toMatchObject({ apiPort: 9001, sqsQueueName: 'second' })
  })
})
