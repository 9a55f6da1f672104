import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parts } from '../api/routes/steering.ts'
import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import { makeControlKeys, makePartitions, repartitionKey } from '../keys.ts'
import { mostPartitions } from '../partitions.ts'
import { openQueues, type Queues } from '../queues.ts'
import type { RedisClient } from '../redis.ts'
import { audit } from '../stages/audit.ts'
import { readBooks, readCounters } from '../stages/books.ts'
import { clearOld, type Move, moveLedger, moveOutcomes, moveUsers, sumUsers, writeBooks } from '../stages/move.ts'
import { buildInvalid, swapInvalid } from '../stages/move-invalid.ts'
import { pausePart, readSteering, recordAction, resumePart } from '../steering.ts'
import { operatingUser } from './audit.ts'
import { defineCommand, wholeNumber } from './command.ts'
import { drain, leftLines } from './drain.ts'
import {
  bare,
  endRepartition,
  layoutOf,
  type Repartition,
  readRepartition,
  undoRepartition,
  writeRepartition,
} from './manifest.ts'
import { connectApp } from './open.ts'
import { withRunning } from './registry.ts'

/** Who has paused what a repartition paused. */
const operator = { by: 'orders repartition', reason: 'orders are being moved to other partitions' }

export const repartitionCommand = defineCommand({
  name: 'repartition',
  about:
    'Moves everything to another number of partitions: pauses, drains, moves, verifies, resumes. Killed at any moment, it goes on when it is run again.',
  options: {
    to: wholeNumber('how many partitions', 1, { min: 1, max: mostPartitions }),
    timeout: wholeNumber('seconds to wait at most until no order waits', 600, { min: 3, max: 86_400 }),
  },
  run: async ({ config, options: { to, timeout }, signal, print }) => {
    await using app = await connectApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    await using queues = openQueues(app.redis)
    await using lock = await holdLock(app.redis, signal)
    const state = (await readRepartition(app.redis)) ?? (await begin(app, to))
    if (state.to !== to) {
      const told = `A repartition to ${state.to} is under way`
      throw new OrdersError('ORD_USAGE', `${told}: let it end first, by orders repartition --to ${state.to}.`)
    }
    if (state.from === to) print(`There are ${to} partitions already.`)
    else await repartition({ app, queues, state, print, timeoutMs: timeout * 1_000, alive: lock.alive }, signal)
    await resume(partitioned(app, to), queues)
    if (state.from !== to)
      print(`Done: start every process with PARTITIONS=${to}; those with another one end by themselves.`)
  },
})

/** @throws OrdersError ORD_USAGE where nothing is there to be moved */
async function begin({ redis }: App, to: number): Promise<Repartition> {
  const from = await layoutOf(redis)
  if (from !== undefined) return { id: randomUUID(), from, to, phase: 'drain' }
  throw new OrdersError('ORD_USAGE', `Redis is not set up yet: start every process with PARTITIONS=${to}.`)
}

function partitioned<A extends App>(app: A, count: number | typeof bare): A {
  const partitions = makePartitions(count === bare ? undefined : count)
  return { ...app, partitions, control: makeControlKeys(partitions) }
}

interface Run {
  readonly app: App
  readonly queues: Queues
  readonly state: Repartition
  readonly timeoutMs: number
  readonly alive: () => void
  print(line: string): void
}

async function repartition(run: Run, signal: AbortSignal): Promise<void> {
  const { app, print } = run
  let { state } = run
  const { redis, config, telemetry } = app
  const alive = (): void => {
    run.alive()
    telemetry.emit('moving', { phase: state.phase })
  }
  const [before, after] = [partitioned(app, state.from), partitioned(app, state.to)]
  const enter = async (phase: Repartition['phase'], more: Partial<Repartition> = {}): Promise<void> => {
    alive()
    state = { ...state, ...more, phase }
    await writeRepartition(redis, state)
  }
  let seen = 0
  const move: Move = {
    redis,
    config,
    from: before.partitions,
    to: after.partitions,
    alive,
    seen: (count) => (seen += count),
  }
  const step = async (what: string, work: (move: Move) => Promise<void>): Promise<void> => {
    seen = 0
    await work(move)
    print(`${what}: ${seen.toLocaleString('en')} looked at.`)
  }

  if (state.phase === 'drain') {
    await enter('drain')
    const totals = await standStill({ ...run, alive }, before, after, signal).catch(async (error) => {
      await reopen(before, after)
      await undoRepartition(redis)
      await resume(before, run.queues)
      throw error
    })
    await enter('move', { totals })
  }
  if (state.phase === 'move') {
    await step('Users', moveUsers)
    await step('Ledger', moveLedger)
    await step('Outcomes of jobs', (move) => moveOutcomes(move, state.id))
    await step('Invalid and discarded orders', buildInvalid)
    await enter('swap')
  }
  if (state.phase === 'swap') {
    await swapInvalid(move)
    await enter('count')
  }
  if (state.phase === 'count') {
    const sums = await Promise.all(after.partitions.map((keys) => sumUsers(move, keys)))
    await writeBooks(move, state.totals ?? {}, sums)
    await clearOld(move)
    await enter('verify')
  }
  await requireRight(after, state.totals ?? {}, signal)
  alive()
  const [trail, moved] = [before.control.audit, after.control.audit]
  if (trail !== moved && (await redis.exists(trail)) === 1) await redis.rename(trail, moved)
  await endRepartition(redis, state)
  const what = JSON.stringify({ from: state.from, to: state.to })
  await recordAction(after, { action: 'orders repartition', by: operatingUser(), what })
  print('All is moved and right.')
  await sleep(noticedMs) // who goes by the old partitions is not to go on with them for a moment
}

/** Every process looks at the manifest once a second. */
const noticedMs = 2_500

/**
 * Brings the system to a halt: nothing comes in, nothing waits, nobody writes by the old partitions any more.
 * @returns the counters of all partitions together
 * @throws OrdersError where that takes too long, or the books are not right
 */
async function standStill(
  { queues, print, timeoutMs, alive }: Run,
  before: App,
  after: App,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  alive()
  await pause(before, ['bridge'])
  alive()
  await Promise.all([queues.reprocess.pause(), queues.replay.pause()])
  print('Paused; waiting until no job runs and no order waits.')
  await idle(queues, timeoutMs, signal)
  await drained(before, timeoutMs, signal)
  for (const { layoutKey } of [...before.partitions, ...after.partitions]) {
    alive()
    await before.redis.set(layoutKey, after.partitions.length)
  }
  await drained(before, timeoutMs, signal) // what was written until then
  alive()
  await pause(before, parts)
  if (before.control.steering !== after.control.steering) await pause(after, parts)
  const totals = await readCounters(before.redis, before.partitions)
  await requireRight(before, totals, signal)
  return totals
}

/** Writers by the old partitions may write again: nothing was moved. */
async function reopen(before: App, after: App): Promise<void> {
  for (const { layoutKey } of after.partitions) await before.redis.del(layoutKey)
  for (const { layoutKey, layout } of before.partitions) await before.redis.set(layoutKey, layout)
}

/** What others have paused stays theirs. */
async function pause(app: App, names: readonly string[]): Promise<void> {
  const paused = await readSteering(app.redis, app.control)
  for (const part of names) if (!(part in paused)) await pausePart(app, part, operator)
}

async function resume(app: App, queues: Queues): Promise<void> {
  const paused = await readSteering(app.redis, app.control)
  for (const part of parts) if (paused[part]?.by === operator.by) await resumePart(app, part, operator)
  await Promise.all([queues.reprocess.resume(), queues.replay.resume()])
}

const lookEveryMs = 200

async function idle({ reprocess, replay }: Queues, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + timeoutMs
  for (;;) {
    const active = (await reprocess.getActiveCount()) + (await replay.getActiveCount())
    if (active === 0) return
    if (performance.now() > until) {
      throw new OrdersError('ORD_JOB', `${active} jobs still run: nothing is moved, try again when they are done.`)
    }
    await sleep(lookEveryMs, undefined, { signal })
  }
}

async function drained(app: App, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { drained, waiting } = await drain(app, { timeoutMs, show: undefined }, signal)
  if (drained) return
  const lines = await leftLines(app, waiting, timeoutMs / 1_000)
  throw new OrdersError('ORD_BOOKS', `${lines.join('\n')}\nNothing is moved: see that all stages run, and try again.`)
}

/** @throws OrdersError ORD_BOOKS where books, users, leaderboards or counters are not what they are to be */
async function requireRight(app: App, totals: Readonly<Record<string, number>>, signal: AbortSignal): Promise<void> {
  const books = await readBooks(app.redis, app.partitions)
  const audited = await audit(app, signal)
  const counters = await readCounters(app.redis, app.partitions)
  const names = [...new Set([...Object.keys(totals), ...Object.keys(counters)])]
  const differences = [
    ...books.differences,
    ...(audited.verdict === 'right' ? [] : audited.differences),
    ...names.flatMap((name) => {
      const [was = 0, is = 0] = [totals[name], counters[name]]
      return was === is ? [] : [`The counter ${name} is ${is}, not ${was}.`]
    }),
  ]
  if (differences.length === 0) return
  throw new OrdersError(
    'ORD_BOOKS',
    `The books are not right: mend them first (orders verify --deep).\n${differences.join('\n')}`,
  )
}

/** A process that is killed holds the lock for so long; one that stood still for longer than it is sure of moves no more. */
const lockMs = 8_000
const renewEveryMs = 2_000
const sureMs = 6_000

interface Lock extends AsyncDisposable {
  /** @throws OrdersError ORD_USAGE where another process may have it, or the signal's reason */
  readonly alive: () => void
}

async function holdLock(redis: RedisClient, signal: AbortSignal): Promise<Lock> {
  const id = randomUUID()
  const until = performance.now() + 2 * lockMs
  while (!(await redis.set(repartitionKey, id, 'PX', lockMs, 'NX'))) {
    if (performance.now() > until)
      throw new OrdersError('ORD_USAGE', 'Another orders repartition runs: let it end first.')
    await sleep(lookEveryMs, undefined, { signal })
  }
  let renewedAt = performance.now()
  const renew = async (): Promise<void> => {
    const from = performance.now()
    if ((await redis.get(repartitionKey)) !== id) return
    if ((await redis.pexpire(repartitionKey, lockMs)) === 1) renewedAt = from
  }
  const timer = setInterval(() => void renew().catch(() => {}), renewEveryMs)
  return {
    alive: () => {
      signal.throwIfAborted()
      if (performance.now() - renewedAt < sureMs) return
      throw new OrdersError('ORD_USAGE', 'Another orders repartition may have taken over: run this one again.')
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      if ((await redis.get(repartitionKey)) === id) await redis.del(repartitionKey)
    },
  }
}
