import { defineConfig } from 'vitest/config'

/** Runs the commands with Node's build for Windows, in Wine. */
export default defineConfig({
  root: '.', // the folder that npm runs in
  test: {
    name: 'windows',
    include: ['test/windows/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    reporters: ['default', './test/support/closing-line.ts'],
    maxWorkers: 1,
    // A limit against hanging: a first run downloads packages.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
})
