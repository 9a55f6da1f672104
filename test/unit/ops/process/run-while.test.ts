import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Loop } from '../../../../src/app.ts'
import { runWhile } from '../../../../src/ops/process/run-while.ts'
import { until } from '../../../support/until.ts'

const untilAborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await once(signal, 'abort')
}

test('a loop runs while it has a permit, stops when the permit ends, and runs again with the next one', async () => {
  const pulse = new Map<string, number>()
  const permits = [new AbortController(), new AbortController()]
  const stop = new AbortController()
  const runs: boolean[] = []
  let permit: AbortController | undefined
  let begun = 0
  const loop: Loop = {
    name: 'sample',
    run: async (_tick, signal) => {
      begun++
      await untilAborted(signal)
      throw signal.reason // a read that is cut off ends like this
    },
  }
  const onRunning = (isRunning: boolean): void => void runs.push(isRunning)
  const gated = runWhile({ pulse }, loop, () => permit?.signal, { onRunning })
  const running = gated.run(() => {}, stop.signal)
  await until('it to be seen as alive without a permit', () => pulse.has('sample'))
  expect(begun).toBe(0)
  permit = permits[0]
  await until('the first run', () => begun === 1)
  permit?.abort()
  await until('its end', () => runs.length === 2)
  permit = permits[1]
  await until('the second run', () => begun === 2)
  stop.abort(new Error('stop'))
  await expect(running).rejects.toThrow('stop')
  expect(runs).toEqual([true, false, true, false])
})

test('an error of the loop itself is not taken for the end of its permit', async () => {
  const loop: Loop = { name: 'sample', run: () => Promise.reject(new Error('broken')) }
  const gated = runWhile({ pulse: new Map() }, loop, () => new AbortController().signal)
  await expect(gated.run(() => {}, new AbortController().signal)).rejects.toThrow('broken')
})
