import { expect, test } from 'vitest'
import { openApi } from '../../../../src/api/server.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { readAudit } from '../../../../src/control/audit-log.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { readGlobalStats } from '../../../../src/stages/aggregate.ts'
import { userDigest } from '../../../../src/stages/erasure/erasures.ts'
import { keysNaming } from '../../../support/dump-redis.ts'
import { writing } from '../../../support/jobs.ts'
import { runInTwoLoops } from '../../../support/running-stages.ts'
import { until } from '../../../support/until.ts'
import { adminToken, appOn, emptyRedis, envOf } from '../../../support/world.ts'

const person = 'person/of this-test'

test('DELETE /users/{user_id} replies the receipt; the audit log has it, a trace says it, and nothing names the user', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ ...envOf(world.url), ADMIN_TOKEN: adminToken, BLOCK_MS: '20' }))
  await using server = await openApi(app)
  await using _ = runInTwoLoops(app)
  const url = `${server.url}/users/${encodeURIComponent(person)}`
  const body = JSON.stringify({ user_id: person, order_id: 'o', order_value: 1.5 })
  await enqueue(app.redis, app.keys, [{ id: 'm', body }])
  await until(
    'it is counted',
    () => readGlobalStats(app.redis, app.partitions),
    ({ orders }) => orders === 1,
  )

  const headers = { ...writing, 'x-operator': 'ann' }
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(401)
  const response = await fetch(url, { method: 'DELETE', headers })
  const receipt = (await response.json()) as Record<string, unknown>
  expect([response.status, receipt]).toEqual([
    200,
    {
      ...{
        erasure: expect.any(String),
        user: userDigest(person),
        erased_at: expect.any(String),
        by: 'ann',
        complete: true,
      },
      moved: { account: 'erased:0', orders: 1, spend: 1.5, months: 0 },
      removed: { invalid: 0, discarded: 0, jobs: 0, outcomes: 0, archive: 0, audit: 0 },
      waiting: 0,
    },
  ])
  expect(await keysNaming(world.redis, person)).toEqual([])
  const log = await readAudit(app.redis, app.control, { limit: 10 })
  expect(log.map(({ action, by, outcome, what }) => [action, by, outcome, JSON.parse(what)['erasure']])).toEqual([
    ['erase', 'ann', 'done', receipt['erasure']],
  ])
  const trace = await fetch(`${server.url}/orders/${encodeURIComponent(person)}/o/trace`, { headers })
  expect(await trace.json()).toMatchObject({ erased_at: receipt['erased_at'] })
  for (const [name, of] of [
    ['stats', { order_count: 0 }],
    ['rank', { spend: { rank: null } }],
  ] as const) {
    const erased = await fetch(`${url}/${name}`, { headers })
    expect(await erased.json()).toMatchObject({ ...of, erased_at: receipt['erased_at'] })
    const account = await fetch(`${server.url}/users/erased:0/${name}`, { headers })
    expect(await account.json()).not.toHaveProperty('erased_at')
  }
  const refused = await fetch(`${server.url}/users/erased:0`, { method: 'DELETE', headers })
  expect([refused.status, await refused.json()]).toEqual([
    409,
    expect.objectContaining({ detail: 'erased:0 is the account of erased users: it names no user, and stays.' }),
  ])
})

test('DELETE /users/{user_id} asks for the archive that was kept; ?archive=gone says that it is not there any more', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ ...envOf(world.url), ADMIN_TOKEN: adminToken, BLOCK_MS: '20' }))
  await using server = await openApi(app)
  await world.redis.hset(app.keys.counters, 'archived', 1)
  const remove = async (query: string): Promise<unknown[]> => {
    const response = await fetch(`${server.url}/users/ada${query}`, { method: 'DELETE', headers: writing })
    return [response.status, await response.json()]
  }
  const detail = expect.stringContaining('set ARCHIVE_URL to where it is')
  expect(await remove('')).toEqual([503, expect.objectContaining({ detail })])
  expect((await remove('?archive=here'))[0]).toBe(422)
  expect(await remove('?archive=gone&unknown=erase')).toEqual([
    200,
    expect.objectContaining({ complete: true, without_archive: true }),
  ])
})

test('DELETE /users/{user_id} refuses a user whom nothing names, unless it is asked for all the same, and once erased it is known', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, readConfig({ ...envOf(world.url), ADMIN_TOKEN: adminToken, BLOCK_MS: '20' }))
  await using server = await openApi(app)
  const remove = async (query: string): Promise<unknown[]> => {
    const response = await fetch(`${server.url}/users/aad${query}`, { method: 'DELETE', headers: writing })
    return [response.status, await response.json()]
  }
  const detail = expect.stringMatching(/^Nothing names the user "aad": check the id\. .*\?unknown=erase/)
  expect(await remove('')).toEqual([404, expect.objectContaining({ detail })])
  expect((await remove('?unknown=yes'))[0]).toBe(422)
  expect(await world.redis.hlen(app.keys.erased)).toBe(0)
  expect(await keysNaming(world.redis, 'aad')).toEqual([])
  const erased = await remove('?unknown=erase')
  expect(erased).toEqual([200, expect.objectContaining({ complete: true })])
  expect(await remove('')).toEqual(erased)
})
