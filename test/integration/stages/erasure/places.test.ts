import { type JobType, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { audited, readAudit } from '../../../../src/control/audit-log.ts'
import {
  bullConnection,
  type OrderVerdict,
  openQueues,
  type Queues,
  type ReprocessData,
} from '../../../../src/control/job-queues.ts'
import { addUndo, newUndoId } from '../../../../src/control/undo/add-undo.ts'
import type { UndoData, UndoResult } from '../../../../src/control/undo/undo-job.ts'
import { OrdersError } from '../../../../src/errors.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import { openDurable } from '../../../../src/ingest/proof/durable.ts'
import { keyDeclarations } from '../../../../src/keys.ts'
import { readBooks } from '../../../../src/reads/books.ts'
import { type EraseOptions, erase, previewErasure } from '../../../../src/stages/erasure/erase.ts'
import { userDigest } from '../../../../src/stages/erasure/erasures.ts'
import type { Receipt } from '../../../../src/stages/erasure/receipt.ts'
import { readEntry } from '../../../../src/stages/invalid/entry.ts'
import { discardEntry } from '../../../../src/stages/invalid/requeue.ts'
import { runStage } from '../../../../src/stages/runner/run.ts'
import { keysNaming } from '../../../support/dump-redis.ts'
import { withCalendar as pipeline } from '../../../support/stages.ts'
import { until } from '../../../support/until.ts'
import { appOn, emptyRedis } from '../../../support/world.ts'

const person = 'person-of-this-test'
const config = readConfig({ BLOCK_MS: '20', CLAIM_IDLE_MS: '1000' })
const options: EraseOptions = { by: 'ann', timeoutMs: 20_000, takesUnknown: true }
const never = new AbortController().signal

function running(app: PartitionScope): AsyncDisposable {
  const stop = new AbortController()
  const stages = pipeline.stages.map((stage) => runStage(app, stage, () => {}, stop.signal))
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.all(stages)
    },
  }
}

const bodyOf = (userId: string, more: object = {}): string =>
  JSON.stringify({ user_id: userId, order_id: 'o', order_value: 10, shipping_address: '12 Main St', ...more })

let sent = 0
const send = (app: PartitionScope, ...bodies: string[]): Promise<unknown> =>
  enqueue(
    app.redis,
    app.keys,
    bodies.map((body) => ({ id: `m${sent++}`, body })),
  )

const settled = (app: PartitionScope, orders: number): Promise<unknown> =>
  until(
    'every order to be judged and counted',
    () => readBooks(app),
    ({ stages, received }) => received === orders && stages.every(({ waiting }) => waiting === 0),
  )

/** Writes what names the person, and what must stay of others, to every place but the work streams. */
async function fill(app: PartitionScope, queues: Queues): Promise<void> {
  const { redis, keys } = app
  const cancelled = bodyOf(person, { event: 'order.cancelled', order_id: 'o2' })
  await (async () => {
    await using _ = running(app)
    await send(app, bodyOf(person), bodyOf(person, { order_id: 'o2' }), bodyOf('other'), cancelled)
    await send(app, bodyOf(person, { order_value: -1 }), bodyOf(person, { order_value: -2 }), `{"user": "${person}"`)
    await send(
      app,
      bodyOf('other', { order_value: -1, note: `like ${person}s` }),
      bodyOf(`${person}2`, { order_value: -1 }),
    )
    await settled(app, 9)
  })()
  const [first] = await redis.xrange(keys.invalid, '-', '+', 'COUNT', 1)
  const entry = await readEntry(redis, keys, first?.[0] ?? '')
  if (entry) await discardEntry(app, entry, { reason: 'old', by: 'ann' })
  await queues.reprocess.add(`order o of ${person} by ann`, { body: bodyOf(person) })
  await queues.reprocess.add('order o of other by ann', { body: bodyOf('other') })
  await redis.hset(keys.outcome('job'), { sent: 1, withdrawn: JSON.stringify({ id: 'x', body: bodyOf(person) }) })
  for (const what of [{ user_id: person, order_id: 'o' }, { user_id: 'other' }]) {
    await audited(app, { action: 'refund-order', by: 'ann', what: JSON.stringify(what) }, async () => {})
  }
}

/** Declarations by how they are erased, of keys that name the person. */
async function erasuresOf(redis: Redis): Promise<string[]> {
  const forms = keyDeclarations.map(
    ({ name, erase }) => [new RegExp(`^${name.replace(/<\w+>/g, '.+')}$`), erase] as const,
  )
  const last = forms.toSorted(
    ([one], [other]) => Number(one.source === '^orders:.+$') - Number(other.source === '^orders:.+$'),
  )
  const found = (await keysNaming(redis, person)).map((name) => {
    return last.find(([form]) => form.test(name))?.[1] ?? (name.startsWith('{jobs}:') ? 'jobs' : `undeclared ${name}`)
  })
  return [...new Set(found)].sort()
}

test('every key that names a user says how it is erased, and afterwards none names them', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, config, { pipeline })
  await using queues = openQueues(app.redis)
  await fill(app, queues)
  await send(app, bodyOf(person, { order_id: 'waits' }))
  expect(await erasuresOf(world.redis)).toEqual([
    'audit',
    'discarded',
    'invalid',
    'jobs',
    'outcomes',
    'stages',
    'totals',
  ])

  const erasing = { app, queues, userId: person }
  const preview = await previewErasure(erasing)
  expect(preview).toEqual({
    ...{ orders: 1, minor: 1_000, months: 1 },
    records: { invalid: 2, discarded: 1, jobs: 2, outcomes: 1, stages: 1, archive: 0, audit: 1 },
  })
  const ended = erase({ app, queues, openDurable }, person, options, never)
  await until('the user to be among the erased', () => world.redis.hexists(app.keys.erased, userDigest(person)))
  await using _ = running(app)
  const receipt = await ended
  expect(receipt).toMatchObject({
    ...{ user: userDigest(person), complete: true, waiting: 0 },
    moved: { account: 'erased:0', orders: 1, minor: 1_000, months: 1 },
    removed: { invalid: 2, discarded: 1, jobs: 2, outcomes: 1, archive: 0, audit: 1 },
  })
  // An order of a user with a longer id stays, and one of another user that mentions the person.
  const left = await keysNaming(world.redis, person)
  expect(left.sort()).toEqual([app.keys.invalidOrders, app.keys.invalid].sort())
  expect(await world.redis.hget(app.keys.counters, 'erased:invalid')).toBe('2')
  const invalid = (await world.redis.lrange(app.keys.invalidOrders, 0, -1)).map(
    (line) => JSON.parse(line).order?.user_id,
  )
  expect(invalid).toEqual([undefined, `${person}2`, 'other'])
  expect((await readBooks(app)).differences).toEqual([])
  expect(await queues.reprocess.getJobCountByTypes('waiting')).toBe(1)
  const log = await readAudit(app.redis, app.control, { limit: 10 })
  expect(log.map(({ action, what }) => [action, JSON.parse(what)])).toEqual([
    ['erase', receipt],
    ['refund-order', { user_id: 'other' }],
    ['refund-order', { user_id: 'erased', order_id: 'o' }],
  ])
  const again = await erase({ app, queues, openDurable }, person, options, never)
  expect(again).toEqual(receipt)
})

test('the dry run of an undo must end first, and what it has found is removed', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, config, { pipeline })
  await using queues = openQueues(app.redis)
  const connection = world.redis.duplicate({ maxRetriesPerRequest: null })
  const worker = new Worker<UndoData, UndoResult>('undo', undefined, bullConnection(connection))
  const asked = { name: 'dry run', fromMs: 1, toMs: 2, dryRun: true }
  await addUndo(app, queues, asked, { by: 'ann', jobId: newUndoId() })
  const job = await worker.getNextJob('token')
  const early = await erase({ app, queues, openDurable: atOnce }, person, { ...options, timeoutMs: 1 }, never)
  expect(early).toMatchObject({ complete: false, waiting: 1, removed: { jobs: 0 } })
  const ranks = [{ user_id: person, from: 1, to: null }]
  const counts = { ...{ orders: 1, users: 1, revenue: 1, days: [], ranks_changed: 1, ranks, erased: 0 } }
  const radius = { ...counts, forgotten: 0, undone_before: 0, admitted_again: 0, other_corrections: 0 }
  const result = { name: 'dry run', redo: false, dry_run: true, orders: 1, users: 1, revenue: 1, left: 0, radius }
  await job?.moveToCompleted(result, 'token', false)
  expect(await keysNaming(world.redis, person)).not.toEqual([])
  const receipt = await erase({ app, queues, openDurable: atOnce }, person, options, never)
  expect(receipt).toMatchObject({ complete: true, waiting: 0, removed: { jobs: 2 } })
  expect(await keysNaming(world.redis, person)).toEqual([])
  await worker.close()
  connection.disconnect()
})

test('a job that is put off while the jobs are read is found', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, config, { pipeline })
  await using queues = openQueues(app.redis)
  const connection = world.redis.duplicate({ maxRetriesPerRequest: null })
  const worker = new Worker<ReprocessData, OrderVerdict>('reprocess', undefined, bullConnection(connection))
  await queues.reprocess.add('order', { body: bodyOf(person) })
  const job = await worker.getNextJob('token')
  const putOff = async (): Promise<void> => {
    if ((await job?.getState()) === 'active') await job?.moveToDelayed(Date.now() + 60_000, 'token')
  }
  // The job leaves the active ones once the delayed ones have been read.
  const reprocess = new Proxy(queues.reprocess, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'getJobs' && name !== 'getRanges') return value.bind(target)
      return async (states: JobType[], ...range: unknown[]) => {
        const found = await value.call(target, states, ...range)
        if (states.includes('delayed')) await putOff()
        return found
      }
    },
  })
  const moving = { ...queues, reprocess }
  const receipt = await erase({ app, queues: moving, openDurable: atOnce }, person, options, never)
  expect(receipt).toMatchObject({ complete: true, removed: { jobs: 1 } })
  expect(await keysNaming(world.redis, person)).toEqual([])
  await worker.close()
  connection.disconnect()
})

test('a receipt is given only when what was written is durable', async () => {
  await using world = await emptyRedis()
  const app = appOn(world.redis, config, { pipeline })
  await using queues = openQueues(app.redis)
  const lost = async (): Promise<void> => {
    throw new OrdersError('ORD_NOT_DURABLE', 'Redis failed over.')
  }
  const failing = async () => ({ confirm: lost, [Symbol.dispose]: () => {} })
  const { code } = await erase({ app, queues, openDurable: failing }, person, options, never).catch((error) => error)
  expect(code).toBe('ORD_NOT_DURABLE')
  expect(await erase({ app, queues, openDurable }, person, options, never)).toMatchObject({ complete: true })
})

/** Fails at one write of the erasure after the other, as a process that is killed there leaves Redis. */
test('an erasure that ends at any moment and runs again finishes, and its receipt is of the whole', async () => {
  let whole: Receipt | undefined
  for (let kill = 0; ; kill += 3) {
    await using world = await emptyRedis()
    const app = appOn(world.redis, config, { pipeline })
    await using queues = openQueues(app.redis)
    await fill(app, queues)
    await using _ = running(app)
    let left = kill
    const redis = new Proxy(app.redis, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function' || !writes.includes(String(name)))
          return typeof value === 'function' ? value.bind(target) : value
        return (...args: unknown[]) => {
          if (kill > 0 && left-- === 0) throw new Error('killed')
          return value.apply(target, args)
        }
      },
    })
    const ended = await erase({ app: { ...app, redis }, queues, openDurable: atOnce }, person, options, never).catch(
      (error: Error) => error.message,
    )
    const receipt = await erase({ app, queues, openDurable: atOnce }, person, options, never)
    const { erasure: _id, erased_at: _at, ...counts } = receipt
    whole ??= receipt
    expect(counts).toEqual({ ...whole, erasure: undefined, erased_at: undefined } as object as typeof counts)
    expect((await keysNaming(world.redis, `"${person}"`)).length).toBe(0)
    expect((await readBooks(app)).differences).toEqual([])
    if (kill > 0 && ended !== 'killed') break
  }
})
/** Waits for no disk: this takes a second each time. */
const atOnce = async () => ({ confirm: async () => {}, [Symbol.dispose]: () => {} })
const writes = ['hset', 'hsetnx', 'evalsha', 'multi', 'xdel', 'hdel', 'set']
