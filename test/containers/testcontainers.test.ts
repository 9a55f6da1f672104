import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { requireEngine } from '../support/containers/opened.ts'
import { run } from '../support/debian/run.ts'
import { root } from '../support/markdown.ts'
import { removeOnExit } from '../support/on-exit.ts'

test('where an engine answers, the tests run on a Redis in a container', async (context) => {
  const docker = await requireEngine(context)
  const bin = mkdtempSync(join(tmpdir(), 'orders-path-'))
  using _ = removeOnExit(bin)
  mkdirSync(join(bin, 'cache'))
  for (const program of ['sh', 'git', 'docker', 'env']) symlinkSync(whereIs(program), join(bin, program))
  const env = {
    ...docker.env,
    PATH: bin, // without a redis-server
    NODE_COMPILE_CACHE: join(bin, 'cache'),
    TESTCONTAINERS_RYUK_DISABLED: 'true', // its image is only in a registry
    TEST_REDIS_URL: '',
    CI: '', // it has no redis-server for tests that need one of their own
    TEST_PORT_SLOT: '14',
    NO_COLOR: '1',
  }
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const suites = ['test/integration/stages/runner/commit.test.ts', 'test/integration/api/server.test.ts']
  for (const suite of suites) expect(existsSync(join(root, suite)), suite).toBe(true)
  const printed = await run(process.execPath, [vitest, 'run', '--maxWorkers=1', ...suites], { cwd: root, env })
  expect(printed).toContain('Redis for the tests: a container')
  expect(printed).toMatch(/\n[5-9]\d passed, 0 failed, /) // those of a redis-server of their own are skipped there
})

function whereIs(program: string): string {
  const found = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, program))
  return found.find((path) => existsSync(path)) ?? program
}
