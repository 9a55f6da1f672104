import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { manifestKey } from '../../../../src/keys.ts'
import { checkManifest } from '../../../../src/ops/manifest/check.ts'
import { openCommandApp } from '../../../../src/ops/open/command-app.ts'
import { type Env, emptyRedis, envOf } from '../../../support/world.ts'

const zone = { CALENDAR: 'on', REPORT_TIMEZONE: 'Europe/Berlin' }

test('the first process with a calendar fixes its zone, and one with another zone is refused', async () => {
  await using world = await emptyRedis()
  const start = (env: Env) => checkManifest(world.redis, readConfig(envOf(world.url, undefined, env)))
  await start({ CALENDAR: 'off', REPORT_TIMEZONE: 'Asia/Tokyo' })
  expect(await world.redis.hget(manifestKey, 'REPORT_TIMEZONE')).toBeNull()
  await start(zone)
  await start(zone)
  await start({ CALENDAR: 'off' })
  await expect(start({ CALENDAR: 'on' })).rejects.toThrow(
    'was set up with REPORT_TIMEZONE=Europe/Berlin, this process has UTC: set REPORT_TIMEZONE=Europe/Berlin.',
  )
})

test('a zone is accepted as Redis has it: releases of Node spell some differently', async () => {
  await using world = await emptyRedis()
  const start = (name: string) =>
    checkManifest(world.redis, readConfig(envOf(world.url, undefined, { ...zone, REPORT_TIMEZONE: name })))
  await start('Asia/Kolkata')
  for (const spelled of ['Asia/Kolkata', 'Asia/Calcutta']) {
    await world.redis.hset(manifestKey, 'REPORT_TIMEZONE', spelled)
    await start(spelled)
    await expect(start('Asia/Tokyo')).rejects.toThrow(`set REPORT_TIMEZONE=${spelled}.`)
  }
})

test('a command takes the zone from Redis', async () => {
  await using world = await emptyRedis()
  await checkManifest(world.redis, readConfig(envOf(world.url, undefined, zone)))
  await using app = await openCommandApp(readConfig(envOf(world.url, undefined, { CALENDAR: 'on' })))
  expect(app.format.calendar.settings.zone).toBe('Europe/Berlin')
  expect(app.config.reportTimezone).toBe('Europe/Berlin')
})
