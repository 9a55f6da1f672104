import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { failure } from '../api/failure.ts'
import type { App } from '../app.ts'
import { audited } from '../control/audit-log.ts'
import { openQueues, type Queues } from '../control/job-queues.ts'
import { OrdersError } from '../errors.ts'
import { openDurability } from '../ingest/durability.ts'
import { makeControlKeys, makePartitions } from '../keys.ts'
import { mostPartitions } from '../partitions.ts'
import { clearOld, type Move, moveLedger, moveOutcomes, moveUsers, sumUsers, writeBooks } from '../stages/move.ts'
import { writeRemembered } from '../stages/move-remembered.ts'
import { defineCommand, flag, wholeNumber } from './command.ts'
import { operatingUser } from './commands/inspect/audit.ts'
import { withRunning } from './local/running-system.ts'
import {
  bare,
  forgetRepartition,
  layoutOf,
  type Repartition,
  readRepartition,
  requireAdopted,
  switchOver,
  writeRepartition,
} from './manifest.ts'
import { connectApp } from './open/open-app.ts'
import { holdLock, type Lock } from './repartition/lock.ts'
import { buildInvalid, lengthsOf, swapInvalid } from './repartition/move-invalid.ts'
import {
  differences,
  type Halt,
  noticedMs,
  notRight,
  reasonOf,
  resume,
  standStill,
  undo,
} from './repartition/quiesce.ts'
import type { Sum } from './verify/counted-feed.ts'

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
    await requireAdopted(app.redis, app.config)
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
    await writeRemembered(move, state.remembered ?? {})
    await enter('verify')
  }
  if (state.phase === 'verify') {
    const lengths = unlike(state, await lengthsOf(redis, after.partitions))
    const wrong = [...(await differences(after, state.totals ?? {}, signal)), ...lengths]
    if (wrong.length > 0 && !force) throw notRight(wrong, 'end it as it is with --force, and mend them then')
    await clearOld(move)
    await alive()
    const what = JSON.stringify({ from: state.from, to: state.to, differences: wrong })
    const action = { action: 'orders repartition', by: operatingUser(), what }
    await audited(after, action, () => switchOver(redis, state))
    print(wrong.length === 0 ? 'All is moved and right.' : 'All is moved; the books are not right: see orders verify.')
  }
  await sleep(noticedMs) // who goes by the old partitions is not to go on with them for a moment
  await finish(after, run.queues, state).catch((error: unknown) => {
    if (failure(error).status !== 503) throw error // of `orders start`, Redis has ended with the processes
  })
}

/** What is left once the new partitions are in force. */
async function finish(app: App, queues: Queues, state: Repartition): Promise<void> {
  await resume(app, queues, state)
  await forgetRepartition(app.redis)
}

/** The same for a process that was not told to repartition. */
export async function finishRepartition(app: App, state: Repartition): Promise<void> {
  await using queues = openQueues(app.redis)
  await finish(app, queues, state)
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

/** Where there are not as many rejected and discarded orders as there were, in a sentence. */
function unlike({ invalid, discarded }: Repartition, found: { invalid: number; discarded: number }): string[] {
  if (found.invalid === invalid && found.discarded === discarded) return []
  return [
    `${found.invalid} rejected and ${found.discarded} discarded orders are moved, of ${invalid} and ${discarded}.`,
  ]
}

/** On a slow disk an fsync takes seconds. */
const durableMs = 30_000
const lookEveryMs = 200

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
