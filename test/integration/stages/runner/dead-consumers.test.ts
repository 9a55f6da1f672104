import { expect, test } from 'vitest'
import type { Events } from '../../../../src/events/fields.ts'
import { removeConsumers } from '../../../../src/stages/runner/dead-consumers.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { requireRealRedis } from '../../../support/requires.ts'
import { validate } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

test('the removal of dead consumers is reported with their names; where none is dead nothing is', async (context) => {
  requireRealRedis(context)
  await using world = await emptyRedis()
  const { config, ...scope } = appOn(world.redis)
  const app = { ...scope, config: { ...config, claimIdleMs: 0 } } // dead after a millisecond of silence
  const stream = app.keys.stream('raw')
  await ensureGroups(app)
  const removed: Events['consumersRemoved'][] = []
  app.telemetry.listen((event, fields) => {
    if (event === 'consumersRemoved') removed.push(fields as Events['consumersRemoved'])
  })
  const tidy = (): Promise<void> =>
    removeConsumers(app, { stage: validate, stream, name: 'living', reader: app.redis }, false)
  await tidy()
  expect(removed).toEqual([])
  await world.redis.xgroup('CREATECONSUMER', stream, 'validate', 'dead')
  const names = async (): Promise<unknown[]> =>
    ((await world.redis.xinfo('CONSUMERS', stream, 'validate')) as unknown[][]).map((fields) => fields[1])
  await until('the dead to be removed', async () => {
    await tidy()
    return !(await names()).includes('dead')
  })
  await tidy()
  expect(removed).toEqual([{ stage: 'validate', consumers: ['dead'] }])
})
