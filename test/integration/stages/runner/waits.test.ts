import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Events } from '../../../../src/events/fields.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { runInTwoLoops } from '../../../support/running-stages.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('waits are true below a millisecond: on average as long as the microseconds from write to commit', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { redis } = world
  const app = appOn(redis)
  await ensureGroups(app)
  const hops: Events['hop'][] = []
  app.telemetry.on('hop', (hop) => void hops.push(hop))
  await using _ = runInTwoLoops(app, [validate])
  const record = (at: number): string => JSON.stringify([{ id: `m${at}`, body: 'not an order' }])
  const entries = 200
  let writtenMs = 0
  for (let at = 0; at < entries; at++) {
    const replies = await redis.multi().time().xadd('orders:raw', '*', 'n', 1, 'c', 1, 'r', record(at)).exec()
    const [seconds, micros] = (replies?.[0]?.[1] ?? []) as [string, string]
    writtenMs += Number(seconds) * 1_000 + Number(micros) / 1_000
    await sleep(Math.random() * 3)
  }
  const orders = (waits: readonly number[]): number => waits.length / 2
  const reported = (): number => hops.reduce((sum, { waits }) => sum + orders(waits), 0)
  await until('each to be committed', reported, (sum) => sum === entries)
  const committedMs = hops.reduce((sum, { atMs, waits }) => sum + atMs * orders(waits), 0)
  const waitedMs = hops.reduce((sum, { waits }) => sum + waits.reduce((all, ms, at) => all + (at % 2 ? 0 : ms), 0), 0)
  expect(Math.abs(waitedMs - (committedMs - writtenMs)) / entries).toBeLessThan(0.15)
})
