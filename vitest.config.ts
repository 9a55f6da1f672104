import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

const withoutRedis = process.env['SKIP_REDIS_TESTS'] === '1'

export default defineConfig({
  test: {
    include: withoutRedis ? ['test/unit/**/*.test.ts'] : ['test/**/*.test.ts'],
    ...(!withoutRedis && { globalSetup: 'test/support/global-setup.ts' }),
    reporters: ['default', './test/support/closing-line.ts'],
    // Real servers and processes on a small, shared machine: a limit against hanging, not an expectation of speed.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Each worker has a Redis database of its own, and a Redis has 16.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
  },
})
