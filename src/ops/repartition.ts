import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { failure } from '../api/route.ts'
import { parts } from '../api/routes/steering.ts'
import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import { openDurability } from '../ingest/durable.ts'
import { makeControlKeys, makePartitions, repartitionKey } from '../keys.ts'
import { mostPartitions } from '../partitions.ts'
import { openQueues, type Queues, queueNames } from '../queues.ts'
import type { RedisClient } from '../redis.ts'
import { audit } from '../stages/audit.ts'
import { readBooks, readCounters } from '../stages/books.ts'
import {
  clearOld,
  type Move,
  moveLedger,
  moveOutcomes,
  moveUsers,
  requireFinished,
  sumUsers,
  writeBooks,
} from '../stages/move.ts'
import { buildInvalid, lengthsOf, swapInvalid } from '../stages/move-invalid.ts'
import type { Sum } from '../stages/tail.ts'
import { pausePart, readSteering, recordAction, resumePart } from '../steering.ts'
import { operatingUser } from './audit.ts'
import { defineCommand, flag, wholeNumber } from './command.ts'
import { drain, leftLines } from './drain.ts'
import {
  bare,
  forgetRepartition,
  layoutOf,
  type Repartition,
  readRepartition,
  switchOver,
  writeRepartition,
} from './manifest.ts'
import { connectApp } from './open.ts'
import { withRunning } from './registry.ts'

/** Who has paused what a repartition paused. */
const operator = 'orders repartition'
const reasonOf = ({ to }: Repartition): string => `orders are being moved: ends with orders repartition --to ${to}`

export const repartitionCommand = defineCommand({
  name: 'repartition',
  about:
    'Moves everything to another number of partitions: pauses, drains, moves, verifies, resumes. Killed at any moment, it goes on when it is run again.',
  options: {
    to: {
      hint: 'N',
      about: 'how many partitions there are to be',
      expected: `a whole number from 1 to ${mostPartitions}`,
      schema: z
        .string()
        .regex(/^\d{1,3}$/)
        .transform(Number)
        .pipe(z.int().min(1).max(mostPartitions))
        .optional(),
    },
    timeout: wholeNumber('seconds to wait at most until no order waits', 600, { min: 3, max: 86_400 }),
    undo: flag('calls off what was killed before anything was moved'),
    force: flag('ends though the books are not right: verify and repair them then'),
  },
  run: async ({ config, options: { to, timeout, undo, force }, signal, print }) => {
    if (to === undefined && !undo) {
      throw new OrdersError('ORD_USAGE', 'orders repartition: say how many partitions there are to be: --to 8.')
    }
    await using app = await connectApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    await using queues = openQueues(app.redis)
    await using lock = await holdLock(app.redis, print, signal)
    const run = { app, queues, print, timeoutMs: timeout * 1_000, force, lock }
    const known = await readRepartition(app.redis)
    if (undo || to === undefined) return await callOff(run, known)
    if (lock.waited && !known) {
      const told = 'Another orders repartition has just ended'
      throw new OrdersError('ORD_USAGE', `${told}: run this one again if it is still wanted.`)
    }
    const state = known ?? (await begin(app, to))
    if (state.to !== to) {
      const told = `A repartition to ${state.to} is under way`
      throw new OrdersError('ORD_USAGE', `${told}: let it end first, by orders repartition --to ${state.to}.`)
    }
    if (state.from === to) return print(`There are ${to} partitions already.`)
    await repartition(run, state, signal).catch((error: unknown) => {
      if (failure(error).status !== 503) throw error
      const told = 'Redis does not answer: nothing is lost, run this again when it does.'
      throw new OrdersError('ORD_REDIS_UNREACHABLE', told, { cause: error })
    })
    print(`Done: start every process with PARTITIONS=${to}; those with another one have ended by themselves.`)
  },
})

/** @throws OrdersError ORD_USAGE where nothing is there to be moved */
async function begin({ redis }: App, to: number): Promise<Repartition> {
  const from = await layoutOf(redis)
  if (from !== undefined) return { id: randomUUID(), from, to, phase: 'drain', queues: [] }
  throw new OrdersError('ORD_USAGE', `Redis is not set up yet: start every process with PARTITIONS=${to}.`)
}

function partitioned<A extends App>(app: A, count: number | typeof bare): A {
  const partitions = makePartitions(count === bare ? undefined : count)
  return { ...app, partitions, control: makeControlKeys(partitions) }
}

interface Run {
  readonly app: App
  readonly queues: Queues
  readonly timeoutMs: number
  readonly force: boolean
  readonly lock: Lock
  print(line: string): void
}

async function repartition(run: Run, begun: Repartition, signal: AbortSignal): Promise<void> {
  const { app, print, lock, force } = run
  const { redis, config, telemetry } = app
  let state = begun
  const [before, after] = [partitioned(app, state.from), partitioned(app, state.to)]
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock.require()
    telemetry.emit('moving', { phase: state.phase })
  }
  using durability = await openDurable(after, signal)
  /** What a phase has moved is durable before the next one begins. */
  const enter = async (phase: Repartition['phase'], more: Partial<Repartition> = {}): Promise<void> => {
    if (state.phase !== 'drain') await durability.confirm()
    await alive()
    state = { ...state, ...more, phase }
    await writeRepartition(redis, state)
  }
  const [from, to] = [before.partitions, after.partitions]
  const move: Move = { redis, config, from, to, alive, durable: durability.confirm }
  const step = async (what: string, pass: () => Promise<number>): Promise<void> => {
    let moved = 0
    // Once more until nothing moves: SCAN tells of all keys only where nothing happens to its server meanwhile.
    for (let more = await pass(); more > 0; more = await pass()) moved += more
    print(`${what}: ${moved.toLocaleString('en')} moved.`)
  }
  const noteQueues = (more: string[]): Promise<void> =>
    enter('drain', { queues: [...new Set([...state.queues, ...more])] })
  const halt: Halt = { ...run, before, after, alive, noteQueues, reason: reasonOf(state) }

  if (state.phase === 'drain') {
    await enter('drain')
    const found = await standStill(halt, signal).catch(async (error: unknown) => {
      await lock.require() // another one may go on from here
      await undo({ ...halt, state })
      throw error
    })
    await enter('move', found)
  }
  if (state.phase === 'move') {
    await step('Users', () => moveUsers(move))
    await step('Parts of the ledger', () => moveLedger(move))
    await step('Outcomes of jobs', () => moveOutcomes(move, state.id))
    await buildInvalid(move)
    const lacking = unlike(state, await lengthsOf(redis, after.partitions, true))
    if (lacking.length > 0) throw notRight(lacking, 'run this again')
    await enter('swap')
  }
  if (state.phase === 'swap') {
    await swapInvalid(move)
    await enter('count')
  }
  if (state.phase === 'count') {
    const sums: Sum[] = []
    for (const keys of after.partitions) sums.push(await sumUsers(move, keys))
    await writeBooks(move, state.totals ?? {}, sums)
    await enter('verify')
  }
  if (state.phase === 'verify') {
    const lengths = unlike(state, await lengthsOf(redis, after.partitions))
    const wrong = [...(await differences(after, state.totals ?? {}, signal)), ...lengths]
    if (wrong.length > 0 && !force) throw notRight(wrong, 'end it as it is with --force, and mend them then')
    await clearOld(move)
    await alive()
    await switchOver(redis, state)
    const what = JSON.stringify({ from: state.from, to: state.to, differences: wrong })
    await recordAction(after, { action: 'orders repartition', by: operatingUser(), what })
    print(wrong.length === 0 ? 'All is moved and right.' : 'All is moved; the books are not right: see orders verify.')
  }
  await sleep(noticedMs) // who goes by the old partitions is not to go on with them for a moment
  await finish(after, run.queues, state).catch((error: unknown) => {
    if (failure(error).status !== 503) throw error // of `orders start`, Redis has ended with the processes
  })
}

/** What is left once the new partitions are in force; the first process that starts with them does it too. */
async function finish(app: App, queues: Queues, state: Repartition): Promise<void> {
  await resume(app, queues, state)
  await forgetRepartition(app.redis)
}

/** Ends a repartition that was killed after the new partitions had come into force. */
export async function finishRepartition(app: App): Promise<void> {
  const state = await readRepartition(app.redis)
  if (state?.phase !== 'resume') return
  await using queues = openQueues(app.redis)
  await finish(app, queues, state)
}

/** Every process looks at the manifest and at what is paused once a second, and ends what it has in hand. */
const noticedMs = 2_500

interface Halt extends Run {
  readonly before: App
  readonly after: App
  alive(): Promise<void>
  noteQueues(queues: string[]): Promise<void>
  readonly reason: string
}

/**
 * Brings the system to a halt: nothing comes in, nothing waits, nobody writes by the old partitions any more.
 * @throws OrdersError where that takes too long, or the books are not right
 */
async function standStill(halt: Halt, signal: AbortSignal): Promise<Partial<Repartition>> {
  const { before, after, queues, print, timeoutMs, alive } = halt
  const { redis } = before
  await alive()
  await pause(before, ['bridge'], halt.reason)
  const running = await Promise.all(queueNames.map(async (name) => ((await queues[name].isPaused()) ? [] : [name])))
  if (running.flat().length > 0) await halt.noteQueues(running.flat())
  for (const name of running.flat()) await queues[name].pause()
  print('Paused; waiting until no job runs and no order waits.')
  await idle(queues, timeoutMs, signal)
  await drained(before, timeoutMs, signal)
  for (const { layoutKey } of [...before.partitions, ...after.partitions]) {
    await alive()
    await redis.set(layoutKey, after.partitions.length)
  }
  await drained(before, timeoutMs, signal) // what was written until then
  await alive()
  await pause(before, parts, halt.reason)
  if (before.control.steering !== after.control.steering) await bringAlong(before, after)
  await sleep(noticedMs)
  for (const keys of before.partitions) await requireFinished(redis, keys)
  const totals = await readCounters(redis, before.partitions)
  const wrong = await differences(before, totals, signal)
  if (wrong.length > 0) throw notRight(wrong, 'mend them first (orders verify --deep)')
  return { totals, ...(await lengthsOf(redis, before.partitions)) }
}

/** What is paused, and the audit, under the names that they will have. */
async function bringAlong({ redis, control }: App, after: App): Promise<void> {
  await redis.hset(after.control.steering, await redis.hgetall(control.steering))
  if ((await redis.exists(control.audit)) === 1) await redis.renamenx(control.audit, after.control.audit)
}

/** As it was: nothing has been moved. */
async function undo({
  before,
  after,
  queues,
  state,
}: Pick<Halt, 'before' | 'after' | 'queues'> & { state: Repartition }): Promise<void> {
  const { redis, control } = before
  for (const { layoutKey } of after.partitions) await redis.del(layoutKey)
  for (const { layoutKey, layout } of before.partitions) await redis.set(layoutKey, layout)
  if (control.steering !== after.control.steering) {
    await redis.del(after.control.steering)
    if ((await redis.exists(after.control.audit)) === 1) await redis.renamenx(after.control.audit, control.audit)
  }
  await resume(before, queues, state)
  await forgetRepartition(redis)
}

async function callOff(run: Run, state: Repartition | undefined): Promise<void> {
  if (!state) return run.print('No repartition is under way.')
  if (state.phase !== 'drain') {
    const told = `The repartition to ${state.to} has moved orders already`
    throw new OrdersError('ORD_USAGE', `${told}: let it end, by orders repartition --to ${state.to}.`)
  }
  const [before, after] = [partitioned(run.app, state.from), partitioned(run.app, state.to)]
  await undo({ before, after, queues: run.queues, state })
  run.print('Called off: everything is as it was.')
}

/** What others have paused stays theirs. */
async function pause(app: App, names: readonly string[], reason: string): Promise<void> {
  const paused = await readSteering(app.redis, app.control)
  for (const part of names) if (!(part in paused)) await pausePart(app, part, { by: operator, reason })
}

async function resume(app: App, queues: Queues, state: Repartition): Promise<void> {
  const paused = await readSteering(app.redis, app.control)
  for (const part of parts) if (paused[part]?.by === operator) await resumePart(app, part, { by: operator })
  for (const name of queueNames) if (state.queues.includes(name)) await queues[name].resume()
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

/** Where books, users, leaderboards or counters are not what they are to be, a sentence each. */
async function differences(app: App, totals: Readonly<Record<string, number>>, signal: AbortSignal): Promise<string[]> {
  const books = await readBooks(app.redis, app.partitions)
  const audited = await audit(app, signal)
  const counters = await readCounters(app.redis, app.partitions)
  const names = [...new Set([...Object.keys(totals), ...Object.keys(counters)])]
  const changed = names.flatMap((name) => {
    const [was = 0, is = 0] = [totals[name], counters[name]]
    return was === is ? [] : [`The counter ${name} is ${is}, not ${was}.`]
  })
  return [...books.differences, ...(audited.verdict === 'right' ? [] : audited.differences), ...changed]
}

/** Where there are not as many rejected and discarded orders as there were, in a sentence. */
function unlike({ invalid, discarded }: Repartition, found: { invalid: number; discarded: number }): string[] {
  if (found.invalid === invalid && found.discarded === discarded) return []
  return [
    `${found.invalid} rejected and ${found.discarded} discarded orders are moved, of ${invalid} and ${discarded}.`,
  ]
}

const notRight = (wrong: readonly string[], advice: string): OrdersError =>
  new OrdersError('ORD_BOOKS', `The books are not right: ${advice}.\n${wrong.join('\n')}`)

/** On a slow disk an fsync takes seconds. */
const durableMs = 30_000

/** Confirms what was written to any partition, as the bridge does before it deletes messages. */
async function openDurable(app: App, signal: AbortSignal): Promise<{ confirm(): Promise<void> } & Disposable> {
  const durability = await openDurability(app)
  const histories = new Map(app.partitions.map((keys) => [keys, durability.history(keys)]))
  const confirm = async (): Promise<void> => {
    await sleep(durability.settleMs, undefined, { signal })
    const until = performance.now() + durableMs
    for (const keys of app.partitions) {
      for (;;) {
        const history = await durability.confirm(keys).catch((error: unknown) => {
          if (performance.now() > until) throw error
          return undefined
        })
        if (history !== undefined && history !== histories.get(keys)) {
          throw new OrdersError('ORD_NOT_DURABLE', 'Redis was started again or failed over: run this once more.')
        }
        if (history !== undefined) break
        await sleep(lookEveryMs, undefined, { signal })
      }
    }
  }
  return { confirm, [Symbol.dispose]: () => durability[Symbol.dispose]() }
}

/** A process that is killed holds the lock for so long. */
const lockMs = 8_000
const renewEveryMs = 2_000

interface Lock extends AsyncDisposable {
  /** Whether another process had it before. */
  readonly waited: boolean
  /** Asks Redis. @throws OrdersError ORD_USAGE where this process does not hold it any more */
  require(): Promise<void>
}

async function holdLock(redis: RedisClient, print: Run['print'], signal: AbortSignal): Promise<Lock> {
  const id = randomUUID()
  let waited = false
  const until = performance.now() + 2 * lockMs
  while (!(await redis.set(repartitionKey, id, 'PX', lockMs, 'NX'))) {
    if (!waited) print('Another orders repartition runs, or was killed a moment ago: waiting for it.')
    waited = true
    if (performance.now() > until)
      throw new OrdersError('ORD_USAGE', 'Another orders repartition runs: let it end first.')
    await sleep(lookEveryMs, undefined, { signal })
  }
  const holds = async (): Promise<boolean> => (await redis.get(repartitionKey)) === id
  const renew = async (): Promise<void> => {
    if (await holds()) await redis.pexpire(repartitionKey, lockMs)
  }
  const timer = setInterval(() => void renew().catch(() => {}), renewEveryMs)
  return {
    waited,
    require: async () => {
      if (await holds()) return
      throw new OrdersError('ORD_USAGE', 'Another orders repartition may have taken over: run this one again.')
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      if (await holds().catch(() => false)) await redis.del(repartitionKey)
    },
  }
}
