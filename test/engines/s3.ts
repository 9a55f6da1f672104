import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../support/markdown.ts'

/** Runs the tests of the archive that need S3 on the server of Ceph instead of the emulator. It needs Debian. */
const files = ['integration/stages/archive/store', 'e2e/history', 'chaos/archive'].map((file) => `test/${file}.test.ts`)
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const env = { ...process.env, TEST_S3: 'ceph' }
const { status } = spawnSync(process.execPath, [vitest, 'run', ...files], { cwd: root, env, stdio: 'inherit' })
process.exitCode = status ?? 1
