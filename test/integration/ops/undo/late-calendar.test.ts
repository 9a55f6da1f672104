import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { addUndo, newUndoId } from '../../../../src/control/undo/add-undo.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { archive } from '../../../../src/stages/archive/archive.ts'
import { flushArchive } from '../../../../src/stages/archive/flush.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { calendar } from '../../../../src/stages/calendar.ts'
import { beginCalendar } from '../../../../src/stages/calendar-books.ts'
import { definePipeline } from '../../../../src/stages/define-pipeline.ts'
import { readOldest } from '../../../../src/stages/invalid/oldest.ts'
import { replayEntries } from '../../../../src/stages/invalid/requeue.ts'
import { defineObserver } from '../../../../src/stages/stage.ts'
import { timeMs } from '../../../../src/stream-id.ts'
import { rebuilt, runningStages } from '../../../support/rebuilding.ts'
import { awayFromMidnight } from '../../../support/reported-calendar.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { definitions, whole } from '../../../support/stages.ts'
import { openUndoWorld, readNumbers, runUndo, settled, type UndoWorld } from '../../../support/undo.ts'
import { until } from '../../../support/until.ts'

const dayMs = 86_400_000
const others = whole.names.filter((name) => name !== calendar.name)

/** A client by which Redis' clock is ahead: as if a stage decided later. */
function later(redis: Redis, ms: number): Redis {
  const time = async (): Promise<number[]> => {
    const atMs = timeMs(await redis.time()) + ms
    return [Math.floor(atMs / 1_000), (atMs % 1_000) * 1_000]
  }
  return new Proxy(redis, {
    get: (_, name) => {
      const value: unknown = name === 'time' ? time : Reflect.get(redis, name)
      return typeof value === 'function' ? value.bind(redis) : value
    },
  })
}

/** Sends an order of a value, and the day of its own time. @param sentMs when it came to SQS */
async function send({ app }: UndoWorld, order_value: number, sentMs: number, order_timestamp?: string): Promise<void> {
  const body = JSON.stringify({ user_id: 'ann', order_id: `o${order_value}`, order_value, order_timestamp })
  await enqueue(app.redis, app.keys, [{ id: `m${order_value}`, body }], { sentMs })
}

const counterIs = ({ app, redis }: UndoWorld, name: string, count: number) =>
  until(
    `${name} to be ${count}`,
    () => redis.hget(app.keys.counters, name),
    (found) => found === `${count}`,
  )

/** Returns the days on which orders count, by their value. */
async function revenues({ redis }: UndoWorld): Promise<Record<string, number>> {
  const days = (await redis.keys('day:*')).map(async (key) => [key.slice(4), Number(await redis.hget(key, 'revenue'))])
  return Object.fromEntries(await Promise.all(days))
}

/** Expects a rebuild to find nothing, and an undo to leave nothing. */
async function expectExact(world: UndoWorld): Promise<void> {
  const { app, queues, redis } = world
  using store = await openStore(app.config)
  const { compared } = await rebuilt({ app, store })
  expect(compared.partitions.flatMap(({ differences }) => [...differences.values()])).toEqual([])
  const window = { name: 'all', fromMs: Date.now() - dayMs, toMs: Date.now() + dayMs, where: {}, dryRun: false }
  const jobId = newUndoId()
  expect(await addUndo(app, queues, window, { by: 'ann', jobId })).toBeUndefined()
  expect(await runUndo(world, jobId)).toMatchObject({ left: 0 })
  await settled(world)
  expect(await readNumbers(redis)).toEqual({})
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

test.for([1, 40])(
  'a calendar that is %d days late counts orders on the days open when they came, as a rebuild and an undo do',
  async (days, context) => {
    requireRedisServer(context)
    await using world = await openUndoWorld(undefined, 'elsewhere', whole)
    const { app, redis } = world
    await beginCalendar(app)
    await awayFromMidnight('UTC', 30_000)
    const now = Date.now()
    await send(world, 1, now - 3 * dayMs) // without a time
    await send(world, 2, now, dayOf(now - 31 * dayMs)) // the first open day
    await send(world, 4, now, dayOf(now - 32 * dayMs)) // closed
    await send(world, 8, now, dayOf(now + dayMs)) // open: clocks differ
    await send(world, 16, now, dayOf(now + 2 * dayMs)) // not yet open
    await using _ = await runningStages(app, others)
    await counterIs(world, 'admitted', 5)
    await flushArchive(app, AbortSignal.timeout(30_000))
    await using _late = await runningStages({ ...app, redis: later(redis, days * dayMs) }, [calendar.name])
    await counterIs(world, 'dated', 5)
    expect(await revenues(world)).toEqual({
      [dayOf(now - 3 * dayMs)]: 100,
      [dayOf(now - 31 * dayMs)]: 200,
      [dayOf(now)]: 2_000,
      [dayOf(now + dayMs)]: 800,
    })
    await expectExact(world)
  },
)

let isBroken = true
const broken = defineObserver({
  ...{ name: calendar.name, takes: calendar.takes, counts: calendar.counts },
  decide: (record, keys, context) => {
    if (isBroken) throw new Error('a bug')
    const verdict = calendar.decide(record, keys, context)
    return 'effects' in verdict ? verdict.effects : []
  },
})

test('an order that the calendar had rejected counts, after its replay, on the day of its first entry', async (context) => {
  requireRedisServer(context)
  isBroken = true
  const list = definePipeline([definitions.validate, broken, archive, definitions.aggregate, definitions.leaderboard])
  await using world = await openUndoWorld(undefined, 'elsewhere', list)
  const { app, redis } = world
  const now = Date.now()
  await send(world, 1, now - 3 * dayMs)
  await using _ = await runningStages(app)
  await counterIs(world, 'calendar:rejected', 1)
  isBroken = false
  const entries = await readOldest(redis, app.partitions, { after: '0-0', until: '+', count: 1 })
  expect(await replayEntries(app, entries, { jobId: 'job', limit: 1 })).toHaveLength(1)
  await counterIs(world, 'dated', 1)
  expect(await revenues(world)).toEqual({ [dayOf(now - 3 * dayMs)]: 100 })
  await expectExact(world)
})
