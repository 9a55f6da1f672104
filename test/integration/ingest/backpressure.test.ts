import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/config.ts'
import { openGate } from '../../../src/ingest/backpressure.ts'
import { appOn, emptyRedis } from '../../support/world.ts'

/** A gate that reads these numbers of waiting orders, one after the other, with what it reports. */
async function openWorld(waiting: readonly number[]) {
  const world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ HIGH_WATER_ORDERS: '1000' }))
  const said: string[] = []
  app.telemetry.listen((event) => void said.push(event))
  const left = [...waiting]
  const gate = openGate(app, async () => left.shift() ?? 0)
  return {
    ...{ gate, said, left },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  }
}

test('the gate closes at the mark, and opens when a fifth of it is free again; each is reported once', async () => {
  await using world = await openWorld([1_000, 1_100, 900, 799])
  let ticks = 0
  await world.gate.pass(() => void ticks++, new AbortController().signal)
  expect(world.said.filter((event) => event !== 'backlogMeasured')).toEqual(['backpressureOn', 'backpressureOff'])
  expect([world.left, ticks]).toEqual([[], 3])
})

test('a gate that was never closed is open up to the mark', async () => {
  await using world = await openWorld([999, 0])
  await world.gate.pass(() => {}, new AbortController().signal)
  expect([world.said, world.left]).toEqual([['backlogMeasured'], [0]])
})

test('a stop ends the wait at a closed gate', async () => {
  await using world = await openWorld([5_000, 5_000])
  const stop = new AbortController()
  const passing = world.gate.pass(() => stop.abort(new Error('a stop')), stop.signal)
  await expect(passing).rejects.toThrow()
})
