import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest (30 to 200 s where all run on two cores), longest first. Begun last, one would run on alone for
 * minutes. Those that mostly wait alternate with those that keep a core busy.
 */
const longest = [
  'e2e/repartition',
  'chaos/everything',
  'chaos/connections',
  'chaos/matrix',
  'chaos/servers',
  'chaos/cluster',
  'e2e/rights',
  'chaos/processes',
  'e2e/silent-loss',
  'e2e/dashboard',
  'e2e/lost-orders',
  'e2e/partitions',
  'e2e/bridge',
  'e2e/outage',
  'e2e/sentinels',
  'e2e/replay',
  'e2e/pauses',
  'e2e/history',
  'e2e/commands',
  'integration/api/live/events',
  'e2e/closed-terminal',
  'integration/pages',
  'integration/ops/verify/deep-check',
  'integration/ops/adopt/adopt',
  'e2e/cluster',
  'integration/ops/repartition/phases',
  'e2e/failover',
]

const rank = ({ moduleId }: TestSpecification): number => {
  const at = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return at === -1 ? longest.length : at
}

/** Begins with the longest files; the rest in the order that Vitest gives them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other))
  }
}
