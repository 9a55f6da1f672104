import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const src = join(import.meta.dirname, '../../../src')

describe('the one way to a terminal', () => {
  /** They write what is not text of others: the log (escaped where it is opened), and bars. */
  const own = ['ops/terminal/output.ts', 'ops/open/log.ts', 'ops/terminal/interactive/progress.ts', 'ops/orders.js']
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|js)$/.test(file) && !file.startsWith('api/public/') && !own.includes(file))
    .map((file) => ({ file, text: readFileSync(join(src, file), 'utf8') }))

  test('is print, and printError: nothing else writes to standard output or error', () => {
    const writes = /process\.(stdout|stderr)\.write|writeSync\(|console\./
    expect(files.filter(({ text }) => writes.test(text)).map(({ file }) => file)).toEqual([])
  })

  test('is jsonLine for what is printed as JSON', () => {
    const bare = files.filter(({ text }) =>
      /print\([^\n]*JSON\.stringify|json \? JSON\.stringify|if \(json\).*JSON\.stringify/.test(text),
    )
    expect(bare.map(({ file }) => file)).toEqual([])
  })
})
