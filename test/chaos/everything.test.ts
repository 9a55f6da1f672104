import { expect, test } from 'vitest'
import { requireRedisServer } from '../support/requires.ts'
import { expectExact, expectOrderly, seed } from './checks.ts'
import { runEverything } from './run.ts'

/** The other files have as many more; `npm run chaos` has hundreds. */
const kills = 15

test('every order counts once when everything goes wrong together', async (context) => {
  requireRedisServer(context)
  const result = await runEverything(3_000, kills, seed)
  expectExact('everything', result)
  expectOrderly(result.stopped)
  expect(result.kills).toBe(kills)
}, 240_000)
