import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { verifyArchive } from '../../src/ops/archive/verify.ts'
import type { ObjectStore } from '../../src/stages/archive/store/object-store.ts'
import { openStore } from '../../src/stages/archive/store/store.ts'
import { ordersOf } from '../../src/stages/correction.ts'
import { readArchive } from '../support/archive.ts'
import { openProxy } from '../support/proxy.ts'
import { requireRedisServer } from '../support/requires.ts'
import { createBucket, spawnS3Server } from '../support/s3-server.ts'
import { withArchive } from '../support/stages.ts'
import { appOn, type Env } from '../support/world.ts'
import { expectExact, expectOrderly, seed } from './checks.ts'
import type { Expected } from './flow.ts'
import { runEverything } from './run.ts'
import { killOne, type Strike, stop, touchGroup } from './strikes.ts'
import type { Post, World } from './world.ts'

/** ORDERS=30000 KILLS=100 AWAY_MS=20000 is the long form. */
const orders = Number(process.env['ORDERS'] ?? 600)
const kills = Number(process.env['KILLS'] ?? 3)
const awayMs = Number(process.env['AWAY_MS'] ?? 2_000)

const roles = ['validate', 'calendar', 'archive', 'aggregate', 'leaderboard']
/** The fewest processes with two of each stage. */
const postsWith = (env: Env): Post[] =>
  [['bridge'], ['bridge', ...roles], roles, ['archive'], ['jobs', 'api']].map((roles) => ({ roles, env }))

test('every admitted order and correction is in the archive once, whatever is killed, and while S3 is gone', async (context) => {
  requireRedisServer(context)
  await using s3 = await spawnS3Server()
  await using toS3 = await openProxy(s3.port)
  await createBucket(s3.url, 'archive')
  const env = { ARCHIVE_URL: 's3://archive/orders', AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${toS3.port}` }
  using store = await openStore(readConfig({ ...env, AWS_ENDPOINT_URL_S3: s3.url }))
  const away: Strike = async () => {
    await s3.kill()
    await sleep(awayMs)
    await s3.start()
  }
  const hangs: Strike = async () => {
    toS3.freeze()
    await sleep(1_500)
    toS3.thaw()
  }
  const share = Math.max(1, Math.round(kills / 20))
  const more = [
    away,
    ...Array.from({ length: share }, () => [
      ...[hangs, killOne('archive'), stop('archive', 1_500)],
      ...[touchGroup('archive', 'destroy'), touchGroup('archive', '0'), touchGroup('archive', '$')],
      async () => toS3.cut(),
    ]).flat(),
  ]
  const compare = (world: World, expected: Expected) => differencesOf(world, expected, store)
  const posts = postsWith({ ...env, ARCHIVE_SEGMENT_SECONDS: '1' })
  const result = await runEverything(orders, kills, seed, { posts, more, compare })
  expectExact('archive', result)
  expectOrderly(result.stopped)
  expect(result.kills).toBe(kills + share)
}, 1_800_000)

/** Compares the records with what was sent, and the manifest with the books. */
async function differencesOf({ redis }: World, { oracle }: Expected, store: ObjectStore): Promise<string[]> {
  const app = appOn(redis, undefined, { pipeline: withArchive })
  const { records, segments } = await readArchive(store, app)
  const users = new Map<string, { orders: number; cents: bigint }>()
  const seen = new Set<string>()
  const differences: string[] = []
  for (const record of records) {
    const { user_id, order_id, minor, correction, event_id, body } = record
    const own = users.get(user_id) ?? { orders: 0, cents: 0n }
    users.set(user_id, { orders: own.orders + ordersOf(record), cents: own.cents + BigInt(minor) })
    const name = JSON.stringify([user_id, order_id, correction && (event_id ?? body)])
    if (seen.has(name)) differences.push(`${name} is archived twice`)
    seen.add(name)
    if (!body?.includes(JSON.stringify(order_id).slice(1, -1))) differences.push(`${name} has the body ${body}`)
  }
  for (const [user, { orders, cents }] of oracle.users) {
    const found = users.get(user)
    if (found?.orders !== orders || found.cents !== cents)
      differences.push(
        `${user} has ${found?.orders} orders and ${found?.cents} in the archive, not ${orders} and ${cents}`,
      )
  }
  if (records.length !== oracle.admitted + oracle.corrected)
    differences.push(`${records.length} records, not ${oracle.admitted} and ${oracle.corrected}`)
  const check = await verifyArchive({ app, store, signal: AbortSignal.timeout(60_000) })
  process.stdout.write(`archive: ${segments.length} segments, ${records.length} records, ${check.verdict}\n`)
  return [...differences, ...check.differences]
}
