import { Worker } from 'bullmq'
import { expect, test } from 'vitest'
import { bullConnection, readJob } from '../../../../src/control/job-queues.ts'
import { addRedo, addUndo, newUndoId } from '../../../../src/control/undo/add-undo.ts'
import type { UndoData, UndoResult } from '../../../../src/control/undo/undo-job.ts'
import { readUndo, type UndoWhere } from '../../../../src/control/undo/undos.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { verifyArchive } from '../../../../src/ops/archive/verify.ts'
import { archivePlace } from '../../../../src/ops/erase/archive.ts'
import { flip } from '../../../../src/ops/rebuild/flip/flip.ts'
import { sendReversals } from '../../../../src/ops/undo/send.ts'
import { undo } from '../../../../src/ops/undo/undo.ts'
import { verify } from '../../../../src/ops/verify/verification.ts'
import { partitionFor } from '../../../../src/partitions.ts'
import { openStore } from '../../../../src/stages/archive/store/store.ts'
import { isAccount } from '../../../../src/stages/erasure/account.ts'
import { erase } from '../../../../src/stages/erasure/erase.ts'
import { accountOf } from '../../../../src/stages/erasure/erasures.ts'
import { readArchive } from '../../../support/archive.ts'
import { CalendarOracle } from '../../../support/calendar-oracle.ts'
import { keysNaming } from '../../../support/dump-redis.ts'
import { rebuilt, runningStages } from '../../../support/rebuilding.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { openUndoWorld, readNumbers, runUndo, sendBodies, settled, type UndoWorld } from '../../../support/undo.ts'
import { until } from '../../../support/until.ts'

const { signal } = new AbortController()
const day = 86_400_000
const start = Date.now()
const daysAgo = (days: number): string => new Date(start - days * day).toISOString()

const persons = ['person-ada', 'person-bob'] as const
const users = [...persons, 'cyn', 'dan', 'eve', 'fay', 'guy']

/** Describes how one message counts, by the rules of the docs. */
interface Change {
  readonly kind: 'placed' | 'refunded' | 'cancelled' | 'amended'
  readonly body: object
  readonly timestamp: string
  readonly orders: number
  readonly cents: number
}

interface Order {
  readonly user: string
  readonly source: string
  readonly changes: readonly [Change, ...Change[]]
}

const all: readonly Order[] = Array.from({ length: 84 }, (_, at) => {
  const user = users[at % users.length] ?? ''
  const source = at % 3 === 0 ? 'twice' : 'shop'
  const [cents, refund, value] = [100 * at + 125, 50 * at + 50, 100 * at + 400]
  const named = { user_id: user, order_id: `o${at}`, source }
  const placed = change('placed', { ...named, order_value: cents / 100 }, at % 4, 1, cents)
  const event = { ...named, event_id: 'e' }
  const own = [
    [change('refunded', { event: 'order.refunded', ...event, amount: refund / 100 }, at % 2, 0, -refund)],
    [change('cancelled', { event: 'order.cancelled', ...event }, at % 2, -1, -cents)],
    [change('amended', { event: 'order.amended', ...event, order_value: value / 100 }, at % 2, 0, value - cents)],
    [],
  ][at % 4] as Change[]
  return { user, source, changes: [placed, ...own] }
})

function change(kind: Change['kind'], body: object, ago: number, orders: number, cents: number): Change {
  const timestamp = daysAgo(ago)
  return { kind, body: { ...body, order_timestamp: timestamp }, timestamp, orders, cents }
}

/** Returns all numbers of the orders that stand, as readNumbers has them. */
function expectedOf({ app }: UndoWorld, standing: (order: Order) => boolean, erased: readonly string[]) {
  const { zone, openDays } = app.format.calendar.settings
  const oracle = new CalendarOracle(zone, openDays, start)
  const totals = new Map<string, { orders: number; cents: number }>()
  for (const order of all.filter(standing)) {
    const user = erased.includes(order.user) ? accountOf(partitionFor(app.partitions, order.user)) : order.user
    for (const { kind, timestamp, orders, cents } of order.changes) {
      oracle.count({ kind: kind === 'placed' ? 'amended' : kind, user, timestamp } as never, orders, BigInt(cents))
      const before = totals.get(user) ?? { orders: 0, cents: 0 }
      totals.set(user, { orders: before.orders + orders, cents: before.cents + cents })
    }
  }
  const numbers: Record<string, string> = {}
  const set = (name: string, value: number | bigint): void => {
    if (BigInt(value) !== 0n) numbers[name] = String(value)
  }
  const rank = (prefix: string, user: string, orders: number, cents: number | bigint): void => {
    if (orders <= 0 || isAccount(user)) return
    numbers[`${prefix}orders ${user}`] = String(orders)
    numbers[`${prefix}spend ${user}`] = String(cents)
  }
  const sum = { orders: 0, cents: 0 }
  for (const [user, { orders, cents }] of totals) {
    set(`user:${user} order_count`, orders)
    set(`user:${user} total_spend_minor`, cents)
    rank('leaderboard:', user, orders, cents)
    sum.orders += orders
    sum.cents += cents
  }
  set('global:stats total_orders', sum.orders)
  set('global:stats total_revenue_minor', sum.cents)
  for (const [name, sums] of oracle.days)
    for (const [field, value] of Object.entries(sums)) set(`day:${name} ${field}`, value)
  for (const [period, ofUsers] of oracle.periods())
    for (const [user, { orders, cents }] of ofUsers) rank(`leaderboard:${period}:`, user, orders, cents)
  return numbers
}

/** All numbers but the months of users, from which the boards of periods follow, and the books of the calendar. */
async function numbersOf({ redis }: UndoWorld): Promise<Record<string, string>> {
  const found = Object.entries(await readNumbers(redis))
  return Object.fromEntries(found.filter(([name]) => !/^(monthly|pipeline):/.test(name)))
}

const by = 'ann'

async function undoIn(world: UndoWorld, name: string, where: UndoWhere | undefined, dryRun = false) {
  const jobId = newUndoId()
  const window = { name, fromMs: start - day, toMs: Date.now() + day, where, dryRun }
  expect(await addUndo(world.app, world.queues, window, { by, jobId })).toBeUndefined()
  return world.queues.undo.getJob(jobId).then((job) => ({ jobId, data: job?.data }))
}

async function ended(world: UndoWorld, jobId: string): Promise<UndoResult> {
  const result = await runUndo(world, jobId)
  await settled(world)
  return result
}

async function redoIn(world: UndoWorld, name: string): Promise<UndoResult> {
  const jobId = newUndoId()
  expect(await addRedo(world.app, world.queues, name, { by, jobId })).toBeUndefined()
  return ended(world, jobId)
}

const eraseIn = ({ app, queues }: UndoWorld, user: string) =>
  erase({ app, queues, archive: archivePlace, openDurable }, user, { by, timeoutMs: 20_000 }, signal)

test('orders, corrections, undos, a redo of part, erased users and a rebuild: each number is exact', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(3)
  const { app, redis, queues } = world
  using store = await openStore(app.config)
  const [ada, bob] = persons
  const isAda = ({ user }: Order): boolean => user === ada
  const isTwice = ({ source }: Order): boolean => source === 'twice'
  await sendBodies(
    world,
    all.map(({ changes: [placed] }) => JSON.stringify(placed.body)),
  )
  await sendBodies(
    world,
    all.flatMap(({ changes: [, ...corrections] }) => corrections.map(({ body }) => JSON.stringify(body))),
  )
  expect(await numbersOf(world)).toEqual(expectedOf(world, () => true, []))

  // Undos. Their jobs and the registry name no user but in the result of a dry run.
  await dryRunOf(world)
  const jobsNaming = (await keysNaming(redis, ada)).filter((name) => name.startsWith('{jobs}:'))
  expect(jobsNaming).toEqual(expect.arrayContaining(['{jobs}:undo:events']))
  expect(await ended(world, (await undoIn(world, 'twice', { source: 'twice' })).jobId)).toMatchObject({ left: 0 })
  const ofBob = await undoIn(world, 'of one', { user: bob })
  expect(JSON.stringify(ofBob)).not.toContain(bob)
  await ended(world, ofBob.jobId)
  const isLeft = (order: Order): boolean => !isTwice(order) && order.user !== bob
  expect(await numbersOf(world)).toEqual(expectedOf(world, isLeft, []))
  expect(
    await addUndo(
      app,
      queues,
      { name: `of ${ada}`, fromMs: 0, toMs: 1, where: { user: ada }, dryRun: true },
      { by, jobId: newUndoId() },
    ),
  ).toMatchObject({ refused: expect.stringContaining('must not have the user_id') })

  // Erased users keep what they have, in the account. Undos and redos leave their orders out.
  expect(await eraseIn(world, ada)).toMatchObject({ complete: true, removed: { jobs: expect.any(Number) } })
  expect(await numbersOf(world)).toEqual(expectedOf(world, isLeft, [ada]))
  const preview = await ended(world, (await undoIn(world, 'x', undefined, true)).jobId)
  const others = all.filter((order) => !isAda(order) && isLeft(order)).length
  expect(preview).toMatchObject({ orders: others, radius: { erased: all.filter(isAda).length, forgotten: 0 } })
  expect(await redoIn(world, 'twice')).toMatchObject({ left: 0 })
  const isPutBack = (order: Order): boolean => order.user !== bob && (!isAda(order) || !isTwice(order))
  const withBob = (order: Order): boolean => isPutBack(order) || (order.user === bob && isTwice(order))
  expect(await numbersOf(world)).toEqual(expectedOf(world, withBob, [ada]))
  await refusesReversals(world, ada)
  await eraseIn(world, bob)
  expect(await redoIn(world, 'of one')).toMatchObject({ orders: 0, left: 0 })
  const expected = expectedOf(world, withBob, persons)
  expect(await numbersOf(world)).toEqual(expected)
  expect(await readUndo(app, 'of one')).toMatchObject({ state: 'redone', undone: { users: 1 } })

  // A rebuild has the same, and repairs what is damaged.
  const rebuilding = { ...world, store, expected: new Map() }
  await ended(world, (await undoIn(world, 'flush', undefined, true)).jobId)
  await redis.hincrby(partitionFor(app.partitions, 'eve').userStats('eve'), 'order_count', 3)
  const { build, compared } = await rebuilt(rebuilding)
  const found = compared.partitions.flatMap(({ differences }) => [...differences.keys()])
  expect(found).toEqual([partitionFor(app.partitions, 'eve').userStats('eve')])
  expect([...compared.lacks.values()].every((lacks) => lacks === 0)).toBe(true)
  await flip(build, compared, undefined)
  expect(await numbersOf(world)).toEqual(expected)
  expect(await verify(app, { deep: true, repair: false, force: false }, signal)).toMatchObject({
    audit: { verdict: 'right', differences: [] },
    calendar: { verdict: 'right', differences: [] },
  })

  // Nothing names the persons.
  expect((await verifyArchive({ app, store, signal })).differences).toEqual([])
  const archived = JSON.stringify(await readArchive(store, app))
  for (const person of persons) {
    expect(await keysNaming(redis, person)).toEqual([])
    expect(archived).not.toContain(person)
  }
})

test('an undo and a redo that the stages have not counted yet count for the account once their user is erased', async (context) => {
  requireRedisServer(context)
  await using world = await openUndoWorld(undefined, 'elsewhere')
  const { app, redis, queues } = world
  using store = await openStore(app.config)
  await using _ = await runningStages(app, ['validate', 'archive'])
  const [ada] = persons
  const bodies = [ada, 'cyn'].map((user_id) => JSON.stringify({ user_id, order_id: 'o1', order_value: 10 }))
  await enqueue(
    redis,
    app.keys,
    bodies.map((body, at) => ({ id: `m${at}`, body })),
  )
  const judged = () => redis.hget(app.keys.counters, 'admitted')
  await until('the orders to be admitted', judged, (admitted) => admitted === '2')
  expect(await runUndo(world, (await undoIn(world, 'all', undefined)).jobId)).toMatchObject({ orders: 2, left: 0 })
  const early = await erase({ app, queues, archive: archivePlace, openDurable }, ada, { by, timeoutMs: 1 }, signal)
  expect(early).toMatchObject({ complete: false })
  const redo = newUndoId()
  await addRedo(app, queues, 'all', { by, jobId: redo })
  expect(await runUndo(world, redo)).toMatchObject({ orders: 1, left: 0 })
  expect(await readNumbers(redis)).toEqual({})
  await using __ = await runningStages(app, ['calendar', 'aggregate', 'leaderboard'])
  expect(await eraseIn(world, ada)).toMatchObject({ complete: true, erasure: early.erasure })
  await settled(world)
  expect(await numbersOf(world)).toMatchObject({ 'user:cyn order_count': '1', 'global:stats total_orders': '1' })
  expect(await redis.hget(app.keys.userStats(accountOf(app.keys)), 'order_count')).toBe('0')
  const records = (await readArchive(store, app)).records.map(({ user_id, correction }) => [user_id, correction])
  expect(records.sort()).toEqual([
    ['cyn', undefined],
    ['cyn', 'redone'],
    ['cyn', 'undone'],
    ['erased:0', undefined],
    ['erased:0', 'undone'],
  ])
  expect(await keysNaming(redis, ada)).toEqual([])
})

/** A worker runs the dry run of an undo, whose result and event name users, as their ranks change. */
async function dryRunOf(world: UndoWorld): Promise<void> {
  const { app, queues } = world
  const connection = world.redis.duplicate({ maxRetriesPerRequest: null })
  const run = new Worker<UndoData, UndoResult>('undo', (job) => undo(app, job, signal), bullConnection(connection))
  const { jobId } = await undoIn(world, 'dry', { user: persons[0] }, true)
  const job = await until(
    'the dry run to end',
    () => readJob(queues, jobId),
    (found) => found?.state === 'completed',
  )
  expect(JSON.stringify(job?.job.returnvalue)).toContain(persons[0])
  await run.close()
  connection.disconnect()
}

/** A record that an undo had sent before the user was erased is refused, and changes nothing. */
async function refusesReversals(world: UndoWorld, user: string): Promise<void> {
  const before = await numbersOf(world)
  const parts = [{ records: -1, minor: -100, sent: start, at: start }]
  const sending = { name: 'late', jobId: newUndoId(), redo: false }
  await sendReversals(world.app, [{ userId: user, orderId: 'o7', parts }], sending)
  await settled(world)
  expect(await numbersOf(world)).toEqual(before)
  const invalid = await Promise.all(
    world.app.partitions.map(({ invalidOrders }) => world.redis.lrange(invalidOrders, 0, -1)),
  )
  expect(invalid.flat().map((json) => JSON.parse(json))).toMatchObject([{ order: null, code: 'erased' }])
}
