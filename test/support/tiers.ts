/** The tiers of tests: each is a Vitest project and a folder of that name, from the quickest to the slowest. */
export const tiers = ['unit', 'integration', 'e2e', 'chaos'] as const
export type Tier = (typeof tiers)[number]

/** Integration tests of files, of programs other than Redis, and of random cases that take seconds. */
const needNoServer = [
  'checkout',
  'repository/*',
  'deploy/*',
  'tools/*',
  'support/*',
  'money.property',
  'ops/rights/*',
  'ops/start-up',
  'ops/local/sample-orders',
  'config/*',
  'api/http/openapi',
  'stages/rules.property',
  'stages/hints/*.property',
  'stages/runner/entry.property',
]

/** Returns the globs of a tier's files, or only of those that need no Redis. */
export function filesOf(tier: Tier, { withRedis }: { withRedis: boolean }): string[] {
  if (withRedis || tier === 'unit') return [`test/${tier}/**/*.test.ts`]
  return tier === 'integration' ? needNoServer.map((name) => `test/integration/${name}.test.ts`) : []
}
