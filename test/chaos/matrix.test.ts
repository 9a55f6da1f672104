import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { requireRedisServer } from '../support/requires.ts'
import { armStrike, striking } from '../support/strike.ts'
import { until } from '../support/until.ts'
import type { Env } from '../support/world.ts'
import { type Expected, expectedOf, expectFlow, flowOf } from './flow.ts'
import { type Consequence, consequences, type Fault, faults, type Step, steps } from './matrix.ts'
import { randomOf } from './random.ts'
import { exact, settle } from './settle.ts'
import { openWorld, type World } from './world.ts'

const roles = ['bridge', 'validate', 'calendar', 'aggregate', 'leaderboard']
/** One of everything, so that it is known who has what in flight; the log says what happened. */
const single: Env = { STAGE_IN_FLIGHT: '1', BRIDGE_POLLERS: '1', LOG_LEVEL: 'debug' }
/** Keeps messages in flight hidden while SQS starts on a busy machine. */
const patient: Env = { SQS_VISIBILITY_TIMEOUT_SECONDS: '30' }
/** They are nine messages, and with a refund one receive: then there is nothing in flight but what the step is about. */
const ordersPerStep = 10

const names = Object.keys(faults) as Fault[]
test.concurrent.for(names)(
  'at every step between receive and delete, and between read and commit: %s',
  { timeout: 400_000 },
  async (fault, context) => {
    requireRedisServer(context)
    await using world = await openWorld([])
    const lane = laneOf(world)
    await begin(lane)
    const found: Record<string, unknown> = {}
    const expected: Record<string, unknown> = {}
    for (const role of roles) {
      const struck = steps.flatMap((step) => {
        const name = step.role === role ? step.then[fault] : undefined
        return name ? [{ step, wanted: consequences[name] as Consequence }] : []
      })
      if (struck.length === 0) continue
      const others = roles.filter((other) => other !== role)
      await using around = spawnOrders(['run', ...others], { ...world.env, ...single, SQS_DELETE_AFTER: 'write' })
      await around.started()
      const env = { ...world.env, ...single, ...(fault === 'sqs' && patient) }
      const start = (): OrdersProcess => spawnOrders(['run', role], { ...env, ...striking() }, { ipc: true })
      const succession: Succession = { start, current: start() }
      await using _ = { [Symbol.asyncDispose]: () => succession.current[Symbol.asyncDispose]() }
      for (const { step, wanted } of struck) {
        const { text: _, ...asserted } = wanted
        found[step.name] = await strike(lane, succession, step, fault, wanted)
        expected[step.name] = expect.objectContaining({ ...exact, ...asserted })
      }
    }
    expect(found).toEqual(expected)
  },
)

/** The processes of a role, one after the other: one that is killed or stopped is followed by another. */
interface Succession {
  start(): OrdersProcess
  current: OrdersProcess
}

/** A world with all that was ever sent to it: its numbers add up, so it need not be emptied between the steps. */
interface Lane {
  readonly world: World
  readonly expected: Expected
  send(): Promise<void>
  /** Messages that were written to Redis more than once, so far. */
  repeated(): Promise<number>
}

function laneOf(world: World): Lane {
  const expected = expectedOf()
  const random = randomOf(1)
  let refunds = 0
  const send = async (): Promise<void> => {
    const flow = flowOf(ordersPerStep, random)
    const refund = `{"event":"order.refunded",${annsOrder},"event_id":"${refunds++}","amount":1}`
    expectFlow(expected, { ...flow, bodies: [...flow.bodies, refund] })
    await world.send([...flow.messages, refund])
  }
  const repeated = async (): Promise<number> => {
    const { received, replayed = 0 } = await world.redis.hgetall('pipeline:counters')
    return Number(received) - Number(replayed) - expected.oracle.received
  }
  return { world, expected, send, repeated }
}

const annsOrder = `"user_id":"ann","order_id":"1","order_timestamp":"${new Date().toISOString()}"`

/** Sends the order that each step refunds a part of: its refund is planned twice, as the ledger is read only when it differs. */
async function begin({ world, expected }: Lane): Promise<void> {
  const order = `{${annsOrder},"order_value":1000}`
  expected.oracle.take(order)
  await using all = spawnOrders(['run', ...roles], world.env)
  await all.started()
  await world.send([order])
  await settle(world, expected)
}

async function strike(
  lane: Lane,
  succession: Succession,
  step: Step,
  fault: Fault,
  wanted: Consequence,
): Promise<object> {
  const { world } = lane
  const repeatedBefore = await lane.repeated()
  const target = { killed: 0, stopped: 0, redis: world.server.pid(), sqs: world.sqs.pid() }[fault]
  const victim = succession.current
  await victim.started()
  await armStrike(victim.child, {
    trigger: step.trigger,
    pid: target,
    signal: fault === 'stopped' ? 'SIGSTOP' : 'SIGKILL',
  })
  const seen = (event: string): number =>
    new Set([victim, succession.current]).values().reduce((sum, { events }) => sum + events(event).length, 0)
  const before = { claimed: seen('claimed'), stale: seen('stale') }
  const saw = (event: keyof typeof before): boolean => seen(event) > before[event]
  // The bridge deletes what is written, and on a slow disk Redis writes it up to two seconds later.
  if (fault === 'redis' && step.role !== 'bridge') await world.redis.config('SET', 'appendfsync', 'always')
  await lane.send()
  await felt(lane, step, target || Number(victim.child.pid))
  await using stack = new AsyncDisposableStack()
  if (target === 0) {
    stack.use(victim)
    succession.current = succession.start()
  }
  if (fault === 'redis') await world.server.start()
  if (fault === 'sqs') await world.sqs.start()
  if (fault === 'stopped') {
    await sleep(step.role === 'bridge' ? 6_000 : 2_000) // the fault itself: beyond visibility timeout or claim
    // The late one would delete what its successor, slow to start, has not received again yet.
    const took = (): boolean => succession.current.events('enqueued').length > 0
    if (step.role === 'bridge' && wanted.repeats) await until('the successor to have written', took)
    await allProcessed(lane)
    victim.child.kill('SIGCONT')
    if (wanted.stale) await until('the late one to find its plan stale', () => saw('stale'))
    if (wanted.repeats)
      await until(
        `the late one to write: ${step.name} ${victim.stderr().slice(-3000)}`,
        async () => (await lane.repeated()) > repeatedBefore,
      )
  }
  const { lost, doubled, complaints, differences } = await settle(world, lane.expected)
  const repeats = (await lane.repeated()) > repeatedBefore
  return { lost, doubled, complaints, differences, repeats, claims: saw('claimed'), stale: saw('stale') }
}

/** Another stage that reads the same stream may be the one that trims it: the next entries are then another chance. */
const nextTrimMs = 3_000

/** Until the process is gone, or stands still. */
async function felt(lane: Lane, { name, trigger }: Step, pid: number): Promise<void> {
  const isStruck = (): boolean => {
    try {
      return /\) [TZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return true
    }
  }
  const isTrim = 'event' in trigger && trigger.event === 'trimmed'
  let sentAt = performance.now()
  await until(`the strike at "${name}"`, async () => {
    if (isStruck()) return true
    if (isTrim && performance.now() - sentAt > nextTrimMs) {
      await lane.send()
      sentAt = performance.now()
    }
    return false
  })
}

async function allProcessed({ world: { redis }, expected: { oracle } }: Lane): Promise<void> {
  await until(
    'the successor to have processed everything',
    () => redis.hgetall('pipeline:counters'),
    ({ ranked, dated, rejected }) =>
      [ranked, dated].every((count) => Number(count) === oracle.admitted + oracle.corrected) &&
      Number(rejected) === oracle.rejected,
  )
}
