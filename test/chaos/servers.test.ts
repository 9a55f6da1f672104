import { afterAll, describe, expect, test } from 'vitest'
import { requireRedisServer } from '../support/requires.ts'
import { expectExact, expectOrderly, ordersPerFault, seed } from './checks.ts'
import { faultsOfServers, twoOfAll } from './faults.ts'
import { shareWorld } from './run.ts'

const world = shareWorld(twoOfAll)
afterAll(async () => {
  await using _ = world
  expectOrderly(await world.stop())
})

describe('every order counts once in spite of', () => {
  for (const [at, fault] of faultsOfServers.entries()) {
    test(fault.name, async (context) => {
      requireRedisServer(context)
      const result = await world.run(fault, ordersPerFault, seed + at)
      expectExact(fault.name, result)
      if (fault.redelivers) expect(result.again).toBeGreaterThan(0)
    })
  }
})
