import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { App } from '../../../../src/app.ts'
import { openQueues } from '../../../../src/control/job-queues.ts'
import { pauseComponent, readPauses } from '../../../../src/control/pauses.ts'
import { makeControlKeys, makePartitions } from '../../../../src/keys.ts'
import { type Repartition, readRepartition } from '../../../../src/ops/manifest/repartition.ts'
import { repartition } from '../../../../src/ops/repartition/phases.ts'
import { differences, quiesce, undo } from '../../../../src/ops/repartition/quiesce.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const begun: Repartition = { id: 'r', from: 'none', to: 2, phase: 'drain', queues: [] }

/** The system with bare keys, and with two partitions. */
async function bothOn(redis: Redis): Promise<[before: App, after: App]> {
  const before = appOn(redis)
  await ensureGroups(before)
  const partitions = makePartitions(2)
  return [before, { ...before, partitions, control: makeControlKeys(partitions) }]
}

test.each([undefined, 'ann'])(
  'a halt that ends early is undone; what an operator (%s) has paused stays paused',
  async (by) => {
    await using world = await emptyRedis()
    const [before, after] = await bothOn(world.redis)
    await using queues = openQueues(before.redis)
    const { redis, control } = before
    const pauserOf = async (component: string) => (await readPauses(redis, control))[component]?.by
    if (by) await pauseComponent(before, 'bridge', { by })
    await queues.replay.pause()
    const stop = new AbortController()
    const noted: string[] = []
    const halt = {
      ...{ before, after, queues, timeoutMs: 60_000, reason: 'orders are being moved' },
      print: () => stop.abort(),
      alive: async () => {},
      noteQueues: async (names: string[]) => void noted.push(...names),
    }
    await expect(quiesce(halt, stop.signal)).rejects.toThrow('aborted')
    expect(await pauserOf('bridge')).toBe(by ?? 'orders repartition')
    expect(noted).toEqual(['reprocess', 'redrive', 'undo'])
    expect(await queues.reprocess.isPaused()).toBe(true)

    for (const { layoutKey } of [...before.partitions, ...after.partitions]) await redis.set(layoutKey, '2')
    await undo({ before, after, queues, state: { ...begun, queues: noted } })
    expect(await pauserOf('bridge')).toBe(by)
    expect([await queues.reprocess.isPaused(), await queues.replay.isPaused()]).toEqual([false, true])
    expect(await redis.get(before.partitions[0]?.layoutKey ?? '')).toBe('none')
    expect(await redis.exists(...after.partitions.map(({ layoutKey }) => layoutKey))).toBe(0)
  },
)

test('counters that have changed, come or gone are differences', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis)
  await ensureGroups(app)
  await app.redis.hset(app.keys.counters, { replayed: 3, discarded: 1, 'rejected:conflict': 5 })
  const found = await differences(
    app,
    { discarded: 2, 'rejected:bad-items': 4, 'rejected:conflict': 5 },
    new AbortController().signal,
  )
  expect(found.filter((sentence) => sentence.startsWith('The counter')).toSorted()).toEqual([
    'The counter discarded is 1, not 2.',
    'The counter rejected:bad-items is 0, not 4.',
    'The counter replayed is 3, not 0.',
  ])
})

test.each([
  [0, undefined],
  [1, begun],
])('a repartition that loses its lock after %i writes writes no more', async (writes, state) => {
  await using world = await emptyRedis()
  const [app] = await bothOn(world.redis)
  await using queues = openQueues(app.redis)
  const steps: string[] = []
  app.telemetry.on('repartitionStep', ({ phase }) => void steps.push(phase))
  let left = writes
  const lock = {
    waited: false,
    require: async () => {
      if (left === 0) throw new Error('another process has it')
      left--
    },
    [Symbol.asyncDispose]: async () => {},
  }
  const run = { app, queues, lock, timeoutMs: 60_000, force: false, print: () => {} }
  await expect(repartition(run, begun, new AbortController().signal)).rejects.toThrow('another process has it')
  expect(await readRepartition(app.redis)).toEqual(state)
  expect(steps).toEqual(Array.from({ length: writes }, () => 'drain'))
  expect(await readPauses(app.redis, app.control)).toEqual({})
})
