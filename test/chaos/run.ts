import { setTimeout as sleep } from 'node:timers/promises'
import { everyRoleTwice, everything, type Fault } from './faults.ts'
import { type Expected, expectedOf, expectFlow, flowOf, shares } from './flow.ts'
import { type Random, randomOf } from './random.ts'
import { apiDifferences, type Outcome, settle } from './settle.ts'
import type { Strike } from './strikes.ts'
import type { End } from './worker.ts'
import { openWorld, type Post, type World } from './world.ts'

export interface Result extends Outcome {
  readonly sent: number
  /** Number of times that SQS delivered a message again. */
  readonly again: number
  readonly kills: number
  /** Processes that ended otherwise than by kill -9 while orders flowed. */
  readonly ends: readonly End[]
}

/** A world for one fault after the other: each test's numbers come on top of what was there. */
export interface SharedWorld extends AsyncDisposable {
  run(fault: Fault, orders: number, seed: number): Promise<Result>
  /** Asks the processes to stop, and gives how each ended. */
  stop(): Promise<End[]>
}

export function shareWorld(posts: readonly Post[]): SharedWorld {
  let shared: { world: World; expected: Expected; again: number } | undefined
  const close = async (): Promise<void> => {
    const { world } = shared ?? {}
    shared = undefined
    await world?.[Symbol.asyncDispose]()
  }
  const run: SharedWorld['run'] = async (fault, orders, seed) => {
    shared ??= { world: await openWorld(posts), expected: expectedOf(), again: 0 }
    const before = { again: shared.again, kills: shared.world.kills(), ends: endsOf(shared.world).length }
    try {
      const result = await strikeAll(shared.world, shared.expected, fault, orders, randomOf(seed))
      shared.again = result.again
      if (result.differences.length > 0) await close() // the next test begins with a world in which all is well
      return {
        ...result,
        again: result.again - before.again,
        kills: result.kills - before.kills,
        ends: result.ends.slice(before.ends),
      }
    } catch (error) {
      await close()
      throw error
    }
  }
  return { run, stop: async () => (shared ? stopAll(shared.world) : []), [Symbol.asyncDispose]: close }
}

async function strikeAll(
  world: World,
  expected: Expected,
  fault: Fault,
  orders: number,
  random: Random,
): Promise<Result> {
  const sentBefore = expected.oracle.received
  const flow = flowOf(orders, random, fault.copies)
  expectFlow(expected, flow)
  const parts = shares(flow.messages, fault.strikes.length)
  for (const [at, strike] of fault.strikes.entries()) {
    await Promise.all(world.workers.map((worker) => worker.started()))
    await underLoad(world, expected, parts[at] ?? [], strike, random)
  }
  return conclude(world, expected, sentBefore)
}

/**
 * Strikes at some moment while orders are sent, and sends more until the strike is over: those who are struck have work in
 * flight, however long it takes until they are.
 */
async function underLoad(
  world: World,
  expected: Expected,
  messages: readonly string[],
  strike: Strike,
  random: Random,
): Promise<void> {
  const more = randomOf(random.below(2 ** 32)) // of its own: how much it sends is a matter of time
  let over = false
  const load = async (): Promise<void> => {
    await world.send(messages)
    while (!over) {
      const flow = flowOf(moreOrders, more)
      expectFlow(expected, flow)
      await world.send(flow.messages)
      await sleep(moreEveryMs)
    }
  }
  const struck = async (): Promise<void> => {
    await sleep(random.below(messages.length * sendingMs))
    await strike(world, random).finally(() => {
      over = true
    })
  }
  await Promise.all([load(), struck()])
}

/** Sending an order takes about this long, where hundreds are sent at once. */
const sendingMs = 0.5

/** Some work for every process, and little next to what a strike sends at its begin. */
const moreOrders = 20
const moreEveryMs = 250

/** Paces the faults: a process takes half a second to start, and two cores start about four a second. */
const paceMs = 300

/**
 * The most that SQS takes. A message is deleted some 2 s after it was written, when it is on Redis' disk. Where a bridge is
 * killed every few seconds, some are received more often than the usual five times before that, though they are counted.
 */
const sqsMaxReceiveCount = 1_000

/** The processes, faults beyond those of `everything`, and what is compared at the end beyond the rest. */
export interface Setting {
  readonly posts: readonly Post[]
  readonly more: readonly Strike[]
  compare(world: World, expected: Expected): Promise<string[]>
}

const usual: Setting = { posts: everyRoleTwice, more: [], compare: async () => [] }

/** Everything together, in an order that the seed decides; what lasts a while goes on next to what comes next. */
export async function runEverything(
  orders: number,
  kills: number,
  seed: number,
  { posts, more, compare } = usual,
): Promise<Result & { stopped: End[] }> {
  const random = randomOf(seed)
  const flow = flowOf(orders, random)
  const expected = expectedOf()
  expectFlow(expected, flow)
  const strikes = random.shuffled([...everything(kills), ...more])
  await using world = await openWorld(posts, sqsMaxReceiveCount)
  const parts = shares(flow.messages, strikes.length)
  const failures: unknown[] = []
  const struck: Promise<unknown>[] = []
  for (const [at, strike] of strikes.entries()) {
    const struckBy = underLoad(world, expected, parts[at] ?? [], strike, random)
    struck.push(struckBy.catch((error) => failures.push(error)))
    await sleep(paceMs)
  }
  await Promise.all(struck)
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} strikes failed`)
  const result = await conclude(world, expected)
  const differences = [...result.differences, ...(await compare(world, expected))]
  return { ...result, differences, stopped: await stopAll(world) }
}

async function conclude(world: World, expected: Expected, sentBefore = 0): Promise<Result> {
  const outcome = await settle(world, expected)
  const api = world.workers.find(({ roles }) => roles.includes('api'))
  const reported = api ? await apiDifferences(await api.apiUrl(), expected) : []
  return {
    ...outcome,
    differences: [...outcome.differences, ...reported],
    sent: expected.oracle.received - sentBefore,
    again: outcome.received - expected.oracle.received,
    kills: world.kills(),
    ends: endsOf(world),
  }
}

function endsOf({ workers }: World): End[] {
  return workers.flatMap(({ ends }) => ends)
}

function stopAll({ workers }: World): Promise<End[]> {
  return Promise.all(workers.map((worker) => worker.stop()))
}
