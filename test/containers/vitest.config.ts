import { defineConfig } from 'vitest/config'

/** Runs the image, docker-compose.yml and the Pods on a Docker engine: minutes of both cores, so apart from the gate. */
export default defineConfig({
  root: '.', // the folder that npm runs in
  test: {
    name: 'containers',
    include: ['test/containers/**/*.test.ts'],
    globalSetup: 'test/support/containers/setup.ts',
    isolate: false,
    reporters: ['default', './test/support/closing-line.ts'],
    maxWorkers: 3,
    // Limits against hanging: a first run downloads packages, makes base images and builds.
    testTimeout: 1_200_000,
    teardownTimeout: 120_000,
  },
})
