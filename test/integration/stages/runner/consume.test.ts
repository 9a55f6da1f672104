import { expect, test } from 'vitest'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { blockingConnection } from '../../../../src/redis/client.ts'
import { consume } from '../../../../src/stages/runner/consume.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import { validate } from '../../../support/stages.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const idleMs = 600_000

/** A consumer of validate, entries of one order each, and what it reports. */
async function openWorld(orders: number) {
  const stack = new AsyncDisposableStack()
  const { redis } = stack.use(await emptyRedis())
  const app = appOn(redis, readConfig({ CLAIM_IDLE_MS: String(idleMs), BLOCK_MS: '20' }))
  await ensureGroups(app)
  const stream = app.keys.stream('raw')
  const ids: string[] = []
  for (let at = 0; at < orders; at++) ids.push(...(await enqueue(redis, app.keys, [{ id: `m${at}`, body: '{}' }])))
  const said: [string, number][] = []
  app.telemetry.on('read', ({ entries }) => void said.push(['read', entries]))
  app.telemetry.on('claimed', ({ entries }) => void said.push(['claimed', entries]))
  const reader = stack.use(blockingConnection(redis, 20))
  const stop = new AbortController()
  const reads = consume(app, { stage: validate, stream, name: 'c', reader }, stop.signal)
  const next = async (): Promise<string[]> => (await reads.next()).value?.entries.map(({ id }) => id) ?? []
  return { redis, stream, ids, said, next, stop, reads, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('all that a dead consumer held is claimed before anything new is read', async () => {
  await using world = await openWorld(61)
  const { redis, stream, ids, next } = world
  await redis.xreadgroup('GROUP', validate.name, 'dead', 'COUNT', 60, 'STREAMS', stream, '>')
  await redis.xclaim(stream, validate.name, 'dead', 0, ...ids.slice(0, 60), 'IDLE', idleMs + 1)
  const found = [await next(), await next(), await next(), await next()]
  expect(found.flat()).toEqual(ids)
  expect(world.said).toEqual([
    ['claimed', 25],
    ['claimed', 25],
    ['claimed', 10],
    ['read', 1],
  ])
})

test('an idle entry is claimed, one alone too; an entry that is not idle stays with its consumer', async () => {
  await using world = await openWorld(2)
  const { redis, stream, ids, next } = world
  await redis.xreadgroup('GROUP', validate.name, 'other', 'COUNT', 2, 'STREAMS', stream, '>')
  await redis.xclaim(stream, validate.name, 'other', 0, ids[1] ?? '', 'IDLE', idleMs + 1)
  expect([await next(), await next()]).toEqual([[ids[1]], []])
  expect(world.said).toEqual([['claimed', 1]])
  world.stop.abort()
  expect((await world.reads.next()).done).toBe(true)
})
