import { expect, type TestContext } from 'vitest'
import { newestEngines, type RedisEngine } from '../support/debian/engines.ts'
import { isDebian } from '../support/debian/packages.ts'
import { requirePart } from '../support/requires.ts'
import { runOn, suites } from './suites.ts'

/** Expects every suite to be green on the newest engine of a kind. @param portSlot see test/support/redis-server.ts */
export async function expectGreen(context: TestContext, kind: RedisEngine['kind'], portSlot: number): Promise<void> {
  requirePart(context, isDebian, "Debian's apt")
  const engine = newestEngines.find((one) => one.kind === kind) as RedisEngine
  const outcomes = await runOn(engine, { workers: 3, portSlot })
  const counts = [...outcomes].map(([suite, { passed }]) => `${suite} ${passed}`)
  process.stdout.write(`${engine.name}: ${counts.join(', ')} passed\n`)
  expect([...outcomes].flatMap(([suite, { failed }]) => failed.map((title) => `${suite}: ${title}`))).toEqual([])
  expect([...outcomes.values()].filter(({ passed, skipped }) => passed === 0 || skipped > 0)).toEqual([])
  expect(outcomes.size).toBe(suites.size)
}
