import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { removeOnExit } from '../../support/on-exit.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const support = (name: string): string => pathToFileURL(join(root, 'test/support', name)).href

test('a test that blocks its process ends the run, and its file is named', async () => {
  const folder = mkdtempSync(join(root, 'test/hanging-'))
  using _ = removeOnExit(folder)
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `import HangingFiles from '${support('hanging-files.ts')}'
     export default { test: { reporters: [new HangingFiles({ limitMs: 3_000 })], maxWorkers: 2, testTimeout: 100 } }`,
  )
  writeFileSync(join(folder, 'good.test.ts'), `import { test } from 'vitest'; test('passes', () => {})`)
  writeFileSync(
    join(folder, 'blocked.test.ts'),
    `import { test } from 'vitest'; test('passes', () => {}); test('turns', () => { for (;;); })`,
  )
  const vitest = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([text(vitest.stdout), text(vitest.stderr), once(vitest, 'close')])
  expect(stderr).toMatch(/^blocked\.test\.ts does not end/m)
  expect(stderr).not.toContain('good.test.ts does not end')
  expect(stdout.trim().split('\n').at(-1)).toMatch(/^[12] passed, 1 failed, 0 skipped$/)
  expect(vitest.exitCode).toBe(1)
})
