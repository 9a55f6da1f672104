import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sampleOrders } from '../../src/ops/orderbook.ts'
import { randomOf } from '../chaos/random.ts'
import type { Strike } from '../support/crash.ts'
import { expectStats, getFrom } from '../support/expected.ts'
import { Oracle } from '../support/oracle.ts'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { spawnRedisServer } from '../support/redis-server.ts'
import { requireRedisServer } from '../support/requires.ts'
import { sendBodies } from '../support/send.ts'
import { until } from '../support/until.ts'
import { type Env, emptySqs, envOf } from '../support/world.ts'

const line = ['run', 'bridge', 'validate', 'aggregate', 'leaderboard', 'jobs', 'api']
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Orders of some users, new ones for each number. */
function more(count: number, at: number): string[] {
  const samples = sampleOrders({ valid: count, invalid: Math.ceil(count / 10), users: 250, seed: seed + at })
  return [...samples].map(({ body }) => body)
}

async function feed(env: Env, url: string, oracle: Oracle, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) oracle.take(body)
  await sendBodies(env, bodies)
  await until(
    `seed ${seed}: ${oracle.received} to be worked off`,
    async () => (await fetch(`${url}/integrity`)).json() as Promise<Record<string, number>>,
    ({ received, admitted = 0, duplicates = 0, rejected = 0, waiting }) =>
      received === oracle.received && waiting === 0 && admitted + duplicates + rejected === oracle.received,
  )
}

async function expectAll(env: Env, url: string, oracle: Oracle): Promise<void> {
  await expectStats(getFrom(url), oracle)
  await using verify = spawnOrders(['verify', '--deep'], env)
  await verify.exit()
  expect(verify.stdout()).toMatch(/All is right\.\n$/)
  const { codes } = (await (await fetch(`${url}/orders/invalid/summary`)).json()) as { codes: Record<string, number> }
  expect(codes).toEqual(Object.fromEntries(oracle.codes))
}

const preload = fileURLToPath(new URL('../support/crash.ts', import.meta.url))
const random = randomOf(seed)

/** Killed before or within any of its writes, again and again, and then let through. */
async function repartition(env: Env, redis: Redis, to: number): Promise<void> {
  for (let kill = 0; kill < 10; kill++) {
    const trigger = { event: 'moving', nth: 1 + random.below(60), after: random.below(2) === 1 }
    const strike: Strike = { trigger, pid: 0, signal: 'SIGKILL' }
    const striking = { STRIKE: JSON.stringify(strike), NODE_OPTIONS: `--import=${preload}` }
    await using run = spawnOrders(['repartition', '--to', String(to)], { ...env, ...striking })
    const { signal } = await run.exit()
    expect(run.stderr()).toBe('')
    if (signal === null) return
    await redis.del('pipeline:repartition') // else the next one waits until it runs out
  }
  await using run = spawnOrders(['repartition', '--to', String(to)], env)
  const { code } = await run.exit()
  expect([code, run.stderr()]).toEqual([0, ''])
}

async function start(env: Env): Promise<OrdersProcess> {
  const all = spawnOrders(line, env)
  await all.started()
  return all
}

test('from bare keys to 8 partitions and on to 3, with kills in between: all numbers stay exact', {
  timeout: 180_000,
}, async (context) => {
  requireRedisServer(context)
  await using server = await spawnRedisServer()
  if (!server) throw new Error('no redis-server')
  await using sqs = await emptySqs()
  const bare = envOf(server.url, sqs)
  const redis = new Redis(server.url)
  const oracle = new Oracle()
  const bodies: string[] = []
  let env = bare
  for (const partitions of [8, 3]) {
    await using all = await start(env)
    const url = await all.apiUrl()
    const fresh = more(400, partitions)
    await feed(env, url, oracle, [...bodies, ...fresh]) // those of before are known
    bodies.push(...fresh)
    await expectAll(env, url, oracle)
    const invalid = await (await fetch(`${url}/orders/invalid?limit=1000`)).json()
    await repartition(env, redis, partitions)
    expect(await all.exit()).toEqual({ code: 1, signal: null })
    expect(all.stderr()).toMatch(`set PARTITIONS=${partitions}.`)
    await using refused = spawnOrders(line, env)
    expect(await refused.exit()).toEqual({ code: 1, signal: null })
    expect(refused.stderr()).toMatch(`set PARTITIONS=${partitions}.`)
    env = { ...bare, PARTITIONS: String(partitions) }
    await using after = await start(env)
    const url2 = await after.apiUrl()
    await expectAll(env, url2, oracle)
    expect(await (await fetch(`${url2}/orders/invalid?limit=1000`)).json()).toEqual(invalid)
    await feed(env, url2, oracle, bodies)
    await expectAll(env, url2, oracle)
    expect(await after.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  }
  const left = (await redis.keys('*')).filter((key) => !/^(\{p[0-2]\}:|\{jobs\}:|pipeline:manifest$)/.test(key))
  expect(left.filter((key) => !/pipeline:(layout|steering|timeline|members|leases|audit)/.test(key))).toEqual([])
  redis.disconnect()
})
