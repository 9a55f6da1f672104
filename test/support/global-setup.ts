import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined for an emulator in each worker, which cannot do everything. */
    redisUrl: string | undefined
  }
}

/** Brings up what the tests of a run share. A run of unit tests alone needs none of it, and does not load it either. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const tiers = project.vitest.projects.map(({ name }) => name)
  if (tiers.every((tier) => tier === 'unit')) return undefined
  const [{ compileOnce }, { findRedis }] = await Promise.all([import('./compile-once.ts'), import('./find-redis.ts')])
  const [removeCompiled, found] = await Promise.all([compileOnce(), findRedis()])
  process.stdout.write(`Redis for the tests: ${found.name}\n`)
  project.provide('redisUrl', found.url)
  return async () => {
    await found.stop()
    removeCompiled()
  }
}
