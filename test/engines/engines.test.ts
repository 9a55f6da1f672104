import { expect, test } from 'vitest'
import { newestEngines, type RedisEngine } from '../support/debian/engines.ts'
import { isDebian } from '../support/debian/packages.ts'
import { requirePart } from '../support/requires.ts'
import { runOn, suites } from './suites.ts'

test.for(newestEngines)('the suites are green on $name', async (engine: RedisEngine, context) => {
  requirePart(context, isDebian, "Debian's apt")
  const outcomes = await runOn(engine, 2)
  process.stdout.write(
    `${engine.name}: ${[...outcomes].map(([suite, { passed }]) => `${suite} ${passed}`).join(', ')}\n`,
  )
  expect([...outcomes].flatMap(([suite, { failed }]) => failed.map((title) => `${suite}: ${title}`))).toEqual([])
  expect([...outcomes].filter(([, { passed }]) => passed === 0)).toEqual([])
  expect(outcomes.size).toBe(suites.size)
})
