import { readFileSync } from 'node:fs'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'
import { filesOf, tiers } from './test/support/tiers.ts'

const withRedis = process.env['SKIP_REDIS_TESTS'] !== '1'

/** True in a clone with stages of its own. Our tests name the stages that we ship, so they run with those. */
const hasOwnStages = !readFileSync('src/stages/pipeline.ts', 'utf8').includes('[validate, aggregate, leaderboard]')

/** The first run downloads packages, makes base images and builds. */
const containersMs = 1_200_000

const projects = tiers.flatMap((name): TestProjectConfiguration[] => {
  if (name === 'containers' && hasOwnStages) return [] // docker-compose.yml starts the stages that we ship
  const include = filesOf(name, { withRedis })
  if (include.length === 0) return []
  return [
    {
      test: {
        name,
        include,
        ...(hasOwnStages && { setupFiles: 'test/support/shipped-list.ts', env: { OWN_STAGES: '1' } }),
        // Files share workers: each loads its modules once. Tests under chaos, which kill what they can, have one each.
        isolate: name === 'chaos',
        ...(name === 'containers' && { globalSetup: 'test/support/containers/setup.ts' }),
        // Real servers and processes on a small, shared machine: a limit against hanging, not an expectation of speed.
        testTimeout: name === 'containers' ? containersMs : 120_000,
        hookTimeout: 60_000,
      },
    },
  ]
})

export default defineConfig({
  test: {
    projects,
    ...(withRedis && { globalSetup: 'test/support/global-setup.ts' }),
    teardownTimeout: 120_000, // of a Docker engine with its containers
    reporters: ['default', './test/support/closing-line.ts'],
    // Three times the cores of a small machine: end-to-end tests wait for half of their time. Each worker has one of the
    // 16 databases of a Redis.
    maxWorkers: 6,
    sequence: { sequencer: LongestFirst },
  },
})
