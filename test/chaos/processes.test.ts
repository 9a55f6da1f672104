import { afterAll, describe, test } from 'vitest'
import { requireRedisServer } from '../support/requires.ts'
import { expectExact, expectOrderly, ordersPerFault, seed } from './checks.ts'
import { faultOfClocks, faultsOfProcesses, twoOfEach, wrongClocks } from './faults.ts'
import { shareWorld } from './run.ts'

const world = shareWorld(twoOfEach)
afterAll(async () => {
  await using _ = world
  expectOrderly(await world.stop())
})

describe('every order counts once in spite of', () => {
  test(faultOfClocks.name, async (context) => {
    requireRedisServer(context)
    await using other = shareWorld(wrongClocks)
    expectExact(faultOfClocks.name, await other.run(faultOfClocks, ordersPerFault, seed))
    expectOrderly(await other.stop())
  })

  for (const [at, fault] of faultsOfProcesses.entries()) {
    test(fault.name, async (context) => {
      requireRedisServer(context)
      expectExact(fault.name, await world.run(fault, ordersPerFault, seed + at))
    })
  }
})
