import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest (60 to 240 s where all run on two cores), longest first. Begun last, one would run on alone for
 * minutes. Those that kill servers alternate with others: each keeps both cores busy.
 */
const longest = [
  'e2e/repartition',
  'chaos/matrix',
  'e2e/outage',
  'chaos/connections',
  'e2e/rights',
  'chaos/servers',
  'e2e/pauses',
  'chaos/everything',
  'e2e/replay',
  'chaos/cluster',
  'integration/ops/verify/deep-check',
  'chaos/processes',
  'e2e/bridge',
  'e2e/dashboard',
  'e2e/partitions',
  'e2e/silent-loss',
  'e2e/lost-orders',
  'e2e/closed-terminal',
  'e2e/commands',
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
