import { afterAll, expect, test } from 'vitest'
import { requireRedisServer } from '../support/requires.ts'
import { expectExact, expectOrderly, seed } from './checks.ts'
import { faultOfGroups, twoOfEachStage } from './faults.ts'
import { shareWorld } from './run.ts'

const world = shareWorld(twoOfEachStage)
afterAll(async () => {
  await using _ = world
  expectOrderly(await world.stop())
})

test(`every order counts once in spite of ${faultOfGroups.name}`, async (context) => {
  requireRedisServer(context)
  const result = await world.run(faultOfGroups, 2_500, seed)
  expectExact(faultOfGroups.name, result)
  expect(result.kills).toBeGreaterThan(0)
})
