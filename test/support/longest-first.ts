import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest (94 to 350 s where all run on two cores), longest first. Begun last, one would run on alone for
 * minutes. Those that kill servers alternate with others: each keeps both cores busy.
 */
const longest = [
  'e2e/repartition',
  'chaos/matrix',
  'e2e/rights',
  'e2e/closed-terminal',
  'e2e/replay',
  'chaos/servers',
  'e2e/partitions',
  'chaos/connections',
  'e2e/silent-loss',
  'chaos/cluster',
  'e2e/outage',
  'chaos/processes',
  'e2e/steering',
  'chaos/everything',
  'integration/audit',
  'e2e/commands',
  'e2e/lost-orders',
  'e2e/dashboard',
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
