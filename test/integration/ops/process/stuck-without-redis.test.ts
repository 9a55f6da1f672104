import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { openApp } from '../../../../src/ops/open/open-app.ts'
import { openRoles } from '../../../../src/ops/process/roles.ts'
import { openTelemetry } from '../../../../src/telemetry.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { until } from '../../../support/until.ts'
import { envOf } from '../../../support/world.ts'

test('a process whose loops are stuck while Redis is away ends: it does not wait for Redis to take its leave', async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  const telemetry = openTelemetry()
  let isAway = false
  telemetry.on('redisAway', () => {
    isAway = true
  })
  const app = await openApp(readConfig({ ...envOf(server.url) }), 'work', telemetry)
  const roles = await openRoles(app, ['validate'], new AbortController().signal)
  const ended = roles.run().catch((error: unknown) => error)
  await server.stop('SIGKILL')
  await until('Redis to be away', () => isAway)
  for (const loop of app.pulse.keys()) app.pulse.set(loop, performance.now() - 61_000)
  expect(await ended).toMatchObject({ code: 'ORD_STUCK' })
  await roles[Symbol.asyncDispose]()
  await app[Symbol.asyncDispose]()
})
