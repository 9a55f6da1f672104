import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'
import { shippedText } from './test/support/shipped-text.ts'
import { filesOf, tiers } from './test/support/tiers.ts'

const withRedis = process.env['SKIP_REDIS_TESTS'] !== '1'

const hasRedis = process.env['TEST_REDIS_URL'] !== undefined || spawnSync('redis-server', ['--version']).status === 0

/** True in a clone with stages of its own. Our tests name the stages that we ship, so they run with those. */
const hasOwnStages = !readFileSync('src/stages/pipeline.ts', 'utf8').includes(shippedText)

const projects = tiers.flatMap((name): TestProjectConfiguration[] => {
  const include = filesOf(name, { withRedis })
  if (include.length === 0) return []
  return [
    {
      test: {
        name,
        include,
        setupFiles: ['test/support/properties.ts', ...(hasOwnStages ? ['test/support/shipped-list.ts'] : [])],
        ...(hasOwnStages && { env: { OWN_STAGES: '1' } }),
        // Files share workers: each loads its modules once. Tests under chaos, which kill what they can, have one each.
        isolate: name === 'chaos',
        // Real servers and processes on a small, shared machine: a limit against hanging, not an expectation of speed.
        testTimeout: 120_000,
        hookTimeout: 60_000,
      },
    },
  ]
})

export default defineConfig({
  test: {
    projects,
    ...(withRedis && { globalSetup: 'test/support/global-setup.ts' }),
    reporters: ['default', './test/support/closing-line.ts', './test/support/hanging-files.ts'],
    // Three times the cores of a small machine: end-to-end tests wait for half of their time. Each worker has one of the
    // 16 databases of a Redis, or an emulator of its own, which takes as much processor time as the worker.
    maxWorkers: hasRedis ? 6 : 3,
    sequence: { sequencer: LongestFirst },
  },
})
