import { defineConfig } from 'vitest/config'

/** Runs the image, docker-compose.yml and the Pods on a Docker engine. */
export default defineConfig({
  root: '.', // the folder that npm runs in
  test: {
    name: 'containers',
    include: ['test/containers/**/*.test.ts'],
    globalSetup: 'test/support/containers/setup.ts',
    isolate: false,
    reporters: ['default', './test/support/closing-line.ts'],
    maxWorkers: 3,
    env: { TEST_PORT_SLOT: '8' }, // the tests of the engines run at the same time
    // Limits against hanging: a first run downloads packages, makes base images and builds.
    testTimeout: 1_200_000,
    teardownTimeout: 120_000,
  },
})
