import fc from 'fast-check'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { PartitionScope } from '../../../../src/app.ts'
import { readConfig } from '../../../../src/config/config.ts'
import { enqueue } from '../../../../src/ingest/enqueue.ts'
import type { Stage } from '../../../../src/stages/placed.ts'
import { checkMessage } from '../../../../src/stages/rules.ts'
import { type CommitReply, commit } from '../../../../src/stages/runner/commit.ts'
import { namesIn } from '../../../../src/stages/runner/encode.ts'
import { decodeEntry, type Entry } from '../../../../src/stages/runner/entry.ts'
import { ensureGroups } from '../../../../src/stages/runner/groups.ts'
import {
  correctionIdentityOf,
  eventName,
  generationSeconds,
  identityOf,
  messageName,
  orderName,
} from '../../../../src/stages/runner/ledger.ts'
import { type Plan, planBatch } from '../../../../src/stages/runner/plan.ts'
import { trim } from '../../../../src/stages/runner/trim.ts'
import { type Accepted, type Message, OrderBook } from '../../../support/order-book.ts'
import { plainFormat } from '../../../support/plain-format.ts'
import { spawnRedisServer } from '../../../support/redis-server.ts'
import { requireRedisServer } from '../../../support/requires.ts'
import { aggregate, leaderboard, shipped as pipeline, validate } from '../../../support/stages.ts'
import { appOn } from '../../../support/world.ts'

/*
 * Three consumers of each stage read, claim, plan and commit in any order; between a plan and its commit, and between a
 * reply and the next try, the others go on. A model of plain maps follows the commits and predicts every reply: whether a
 * plan expects what the ledger holds, by its lines; what a commit comes to, by the messages alone.
 */

const line = [validate, aggregate, leaderboard] as const
type StageName = 'validate' | 'aggregate' | 'leaderboard'
const stageNames = ['validate', 'aggregate', 'leaderboard'] as const
const stageOf = (name: StageName): Stage => line[stageNames.indexOf(name)] ?? validate
const streamOf = { validate: 'orders:raw', aggregate: 'orders:valid', leaderboard: 'orders:counted' } as const

// Two buckets, so that every order has others next to it.
const config = readConfig({ LEDGER_BUCKETS: '2' })

type Sent = Good | Bad
type Good = Message & { readonly id: string; readonly body: string }
interface Bad {
  readonly id: string
  readonly body: string
  readonly group: string
  readonly reason: string
}

/** Is spent by ann beforehand: sums have more digits than Lua's own form of numbers, and stay below 2^53. */
const fortune = 9_000_000_000_000_001
const users = ['ann', '__proto__', '😀'] as const
// 10 and 10.001 are the same cents, and so the same order.
const values = [
  ['10', 1000],
  ['10.001', 1000],
  ['0.1', 10],
  ['1.005', 101],
  ['1000000000', 100_000_000_000],
] as const
type Value = (typeof values)[number]
const eventIds = ['e1', 'e2', undefined] as const
const corrections = ['cancelled', 'refunded', 'amended'] as const
const noOrders = [
  ['not json', 'malformed-json', 'Malformed JSON'],
  ['[]', 'not-an-object', 'Order must be a JSON object'],
  ['{}', 'missing-field:user_id', 'Missing required field: user_id'],
  ['{"user_id":"ann","order_id":"1"}', 'missing-field:order_value', 'Missing required field: order_value'],
  ['{"user_id":"","order_id":"1","order_value":1}', 'bad-identity:user_id', 'user_id must be a non-empty string'],
  [
    '{"user_id":"ann","order_id":"1","order_value":-1}',
    'bad-value:range',
    'order_value must be between 0 and 1000000000',
  ],
  [
    '{"user_id":"ann","order_id":"1","order_value":9,"items":[]}',
    'total-mismatch',
    'Calculated total (0) does not match order_value (9)',
  ],
] as const

// Few ids, users, orders, events and values: most of what is sent meets something sent before.
const messageId = fc.constantFrom('m1', 'm2')
const goodOf = (orders: readonly string[]): fc.Arbitrary<Good> => {
  const identity = [messageId, fc.constantFrom(...users), fc.constantFrom(...orders)] as const
  const payload = [fc.constantFrom(...values), fc.boolean()] as const
  const correction = [...identity, fc.constantFrom(...corrections), fc.constantFrom(...eventIds), ...payload] as const
  return fc.oneof(
    fc.tuple(...identity, ...payload).map((of) => order(...of)),
    fc.tuple(...correction).map((of) => corrected(...of)),
  )
}

function order(id: string, user: string, order: string, [value, cents]: Value, noted: boolean): Good {
  const fields = `"user_id":${JSON.stringify(user)},"order_id":"${order}","order_value":${value}`
  const body = `{${fields}${noted ? ',"note":1' : ''}}`
  return { kind: 'placed', id, body, user, order, cents: BigInt(cents), payload: String(cents) }
}

function corrected(
  ...[id, user, order, kind, eventId, [value, cents], noted]: readonly [
    id: string,
    user: string,
    order: string,
    kind: (typeof corrections)[number],
    eventId: (typeof eventIds)[number],
    value: Value,
    noted: boolean,
  ]
): Good {
  const identity = `"event":"order.${kind}","user_id":${JSON.stringify(user)},"order_id":"${order}"`
  const amount = { cancelled: '', refunded: `,"amount":${value}`, amended: `,"order_value":${value}` }[kind]
  const more = `${eventId === undefined ? '' : `,"event_id":"${eventId}"`}${noted ? ',"note":1' : ''}`
  const body = `{${identity}${amount}${more}}`
  const [event, payload] = [eventId ?? body, kind === 'cancelled' ? kind : `${kind} ${cents}`]
  return { kind, id, body, user, order, eventId, event, cents: BigInt(cents), payload }
}
const ofAnn = (id: string, value: 0 | 2): Good => order('m1', 'ann', id, values[value], false)
const bad = fc
  .tuple(messageId, fc.constantFrom(...noOrders))
  .map(([id, [body, group, reason]]): Bad => ({ id, body, group, reason }))
const by = fc.constantFrom('one', 'two', 'three')
const upTo = (max: number) => fc.integer({ min: 1, max })
/** Chooses among what there is when the step is taken: stages with something to read or claim, consumers with entries. */
const which = fc.nat(5)

const stepOf = (good: fc.Arbitrary<Good>) => {
  const sent = fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: bad })
  const batch = fc.array(sent, { minLength: 1, maxLength: 4 })
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('enqueue' as const), batch }) },
    // Orders that others than the bridge write are not counted as received yet.
    { weight: 1, arbitrary: fc.record({ do: fc.constant('add' as const), batch }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('add garbage' as const), orders: upTo(3) }) },
    // Read, planned and committed at once, which gives the later stages something to do.
    { weight: 4, arbitrary: fc.record({ do: fc.constant('process' as const), batch, aggregate: fc.boolean() }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('read' as const), which, by, count: fc.constantFrom(1, 9) }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('claim' as const), which, by, count: upTo(2) }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('plan' as const), which, count: fc.constantFrom(1, 3, 9) }) },
    { weight: 16, arbitrary: fc.record({ do: fc.constant('commit' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('forget scripts' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('trim' as const), stage: fc.constantFrom(...stageNames) }) },
  )
}
type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer S> ? S : never

type Run = { readonly wrongBy: number; readonly steps: Step[] }
const runOf = (good: fc.Arbitrary<Good>) =>
  fc.record({
    /** Error of each consumer's first guess of the ledger's generation. */
    wrongBy: fc.constantFrom(0, 0, 0, 0, 1, -1, 1000),
    steps: fc.array(stepOf(good), { minLength: 1, maxLength: 120, size: 'max' }),
  })

// Many orders make work for the later stages, few make conflicts. Without fast-check's preference for the small: much
// has to happen before two consumers meet at the end of the line.
const run = fc.noBias(
  fc.oneof(
    { weight: 2, arbitrary: runOf(goodOf(['1', '2', '3', '4', '5', '6', '7', '8'])) },
    { weight: 1, arbitrary: runOf(goodOf(['1'])) },
  ),
)

/**
 * Rare by chance, so always tried: an entry of several is gone; what stood against a record is itself overtaken; the
 * first guess of the generation is wrong. With them alone, all that has to come up does.
 */
const rare: Run[] = [
  {
    wrongBy: 0,
    steps: [{ do: 'enqueue', batch: [ofAnn('1', 0)] }, { do: 'enqueue', batch: [ofAnn('2', 0)] }, ...overtaken(0)],
  },
  { wrongBy: 0, steps: [...lines(2, false), ...overtaken(1)] },
  { wrongBy: 0, steps: [...lines(2, true), ...overtaken(2)] },
  {
    wrongBy: 0,
    steps: [
      { do: 'enqueue', batch: [ofAnn('1', 0), ofAnn('1', 2)] },
      { do: 'enqueue', batch: [ofAnn('1', 2)] },
      { do: 'read', which: 0, by: 'one', count: 1 },
      { do: 'read', which: 0, by: 'two', count: 1 },
      { do: 'plan', which: 0, count: 1 },
      { do: 'commit', which: 0 },
      { do: 'plan', which: 1, count: 1 },
      { do: 'commit', which: 1 },
      { do: 'commit', which: 0 },
    ],
  },
  { wrongBy: 1, steps: [{ do: 'enqueue', batch: [ofAnn('1', 0), ofAnn('1', 2), ofAnn('1', 0)] }] },
]

/** Entries for the stage after. */
function lines(entries: number, aggregate: boolean): Step[] {
  return Array.from({ length: entries }, (_, at) => ({ do: 'process', batch: [ofAnn(`${at}`, 0)], aggregate }))
}

/** One reads and plans two entries, two commits the first of them; `plans` is how many plans there were before. */
function overtaken(plans: number): Step[] {
  return [
    { do: 'read', which: 0, by: 'one', count: 9 },
    { do: 'plan', which: 0, count: 9 },
    { do: 'claim', which: 0, by: 'two', count: 1 },
    { do: 'plan', which: 1, count: 1 },
    { do: 'commit', which: plans + 1 },
    { do: 'commit', which: plans },
  ]
}

test('whatever the order in which consumers read, claim, plan and commit, Redis holds what a model holds', async (context) => {
  requireRedisServer(context) // of its own: SCRIPT FLUSH is for a whole server
  await using server = await spawnRedisServer('--appendonly', 'no')
  if (!server) throw new Error('no redis-server')
  const redis = new Redis(server.url)
  using _ = { [Symbol.dispose]: () => redis.disconnect() }
  const app = appOn(redis, config)
  const seen = new Map<string, number>()
  const property = fc.asyncProperty(run, async ({ wrongBy, steps }) => {
    await redis.flushdb()
    await ensureGroups(app)
    await redis.hset('user:ann', { order_count: 0, total_spend_minor: fortune })
    await redis.hset('global:stats', { total_orders: 0, total_revenue_minor: fortune })
    const model = new Model()
    const consumers = new Consumers(app, model, (await currentGeneration(redis)) + wrongBy, seen)
    for (const step of steps) {
      await take(step, app, model, consumers)
      await expectBooks(redis, model)
    }
    for (const name of stageNames) {
      await consumers.claim(name, 'last', 1_000)
      await consumers.processAll(name)
    }
    await expectBooks(redis, model)
    await expectResults(redis, model)
    for (const stage of line) await trim(app, stage)
    for (const stream of Object.values(streamOf)) expect(await redis.xlen(stream)).toBe(0)
  })
  const seed = process.env['SEED']
  await fc.assert(property, {
    ...(seed !== undefined && { seed: Number(seed) }),
    numRuns: 80,
    examples: rare.map((run) => [run]),
    interruptAfterTimeLimit: 90_000, // against a machine that is very slow: fewer runs then
    markInterruptAsFailure: false,
  })
  // Each of these must have come up, or the test shows nothing.
  for (const what of ['committed', 'stale', 'stale in part']) {
    for (const name of stageNames) expect([what, name, seen.get(`${name} ${what}`)]).not.toContain(undefined)
  }
  for (const what of ['differs', 'differs again', 'generation', 'differs, then committed', 'duplicate', ...outcomes]) {
    expect([what, seen.get(`validate ${what}`)]).not.toContain(undefined)
  }
  expect(seen.get('leaderboard left')).toBeGreaterThan(0)
})

/** All that can become of orders and corrections. */
const outcomes = [
  ...['admitted', 'corrected:cancelled', 'corrected:refunded', 'corrected:amended'],
  ...['conflict', 'conflict:event', 'unknown-order', 'cancelled-order', 'refund-exceeds'],
]

async function take(step: Step, scope: PartitionScope, model: Model, consumers: Consumers): Promise<void> {
  const { redis } = scope
  if (step.do === 'enqueue' || step.do === 'process') {
    const records = step.batch.map(({ id, body }) => ({ id, body }))
    const [id = ''] = await enqueue(redis, scope.keys, records)
    model.raw.set(id, { counted: true, orders: records.length, sent: step.batch })
    model.count('received', records.length)
    if (step.do === 'enqueue') return
    await consumers.processAll('validate')
    if (step.aggregate) await consumers.processAll('aggregate')
  } else if (step.do === 'add') {
    const records = JSON.stringify(step.batch.map(({ id, body }) => ({ id, body })))
    const id = (await redis.xadd('orders:raw', '*', 'n', step.batch.length, 'r', records)) ?? ''
    model.raw.set(id, { counted: false, orders: step.batch.length, sent: step.batch })
  } else if (step.do === 'add garbage') {
    const id = (await redis.xadd('orders:raw', '*', 'n', step.orders, 'r', '[{}]')) ?? ''
    const text = JSON.stringify(['n', `${step.orders}`, 'r', '[{}]'])
    model.raw.set(id, { counted: false, orders: step.orders, text })
  } else if (step.do === 'read') {
    const unread = stageNames.filter((name) => model.unread(name) > 0)
    for (const name of nth(unread, step.which)) await consumers.read(name, step.by, step.count)
  } else if (step.do === 'claim') {
    const pending = stageNames.filter((name) => model.pending[name].size > 0)
    for (const name of nth(pending, step.which)) await consumers.claim(name, step.by, step.count)
  } else if (step.do === 'plan') {
    const holding = consumers.having(({ entries }) => entries)
    for (const [name, by] of nth(holding, step.which)) consumers.plan(name, by, step.count)
  } else if (step.do === 'commit') {
    const planned = consumers.having(({ attempt }) => attempt?.entries)
    for (const [name, by] of nth(planned, step.which)) await consumers.commit(name, by)
  } else if (step.do === 'forget scripts') await redis.script('FLUSH')
  else await trim(scope, stageOf(step.stage))
}

/** Picks one of them; undefined if there are none. */
function nth<T>(list: readonly T[], which: number): T[] {
  return list.length === 0 ? [] : list.slice(which % list.length).slice(0, 1)
}

/** Holds the entries that a consumer has read or claimed (others may have claimed them since), and its plan for some. */
interface Hands {
  entries: Entry[]
  attempt?: Attempt | undefined
  generation: number
}
interface Attempt {
  readonly entries: readonly Entry[]
  /** The ledger's values, by name, where they differed from the plans before. */
  readonly known: ReadonlyMap<string, string>
  readonly plan: Plan
}

/** Consumers that go on as those of run.ts do, but take one step at a time. */
class Consumers {
  private readonly hands = new Map(stageNames.map((name) => [name, new Map<string, Hands>()]))
  private readonly scope: PartitionScope
  private readonly model: Model
  private readonly guess: number
  private readonly seen: Map<string, number>

  constructor(scope: PartitionScope, model: Model, guess: number, seen: Map<string, number>) {
    this.scope = scope
    this.model = model
    this.guess = guess
    this.seen = seen
  }

  /** Returns the consumers that hold some of those entries. */
  having(some: (hands: Hands) => readonly Entry[] | undefined): (readonly [StageName, string])[] {
    return [...this.hands].flatMap(([name, all]) =>
      [...all].flatMap(([by, hands]) => (some(hands)?.length ? [[name, by] as const] : [])),
    )
  }

  async read(name: StageName, by: string, count: number): Promise<number> {
    const stream = streamOf[name]
    const group = ['GROUP', name, by] as const
    const reply = await this.scope.redis.xreadgroupBuffer(...group, 'COUNT', count, 'STREAMS', stream, '>')
    const [, entries] = (reply as [Buffer, RawEntry[]][] | null)?.[0] ?? [undefined, []]
    this.model.read[name] += entries.length
    return this.hold(name, by, entries)
  }

  async claim(name: StageName, by: string, count: number): Promise<number> {
    const args = [streamOf[name], name, by, 0, '0-0', 'COUNT', count]
    const [, entries] = (await this.scope.redis.callBuffer('XAUTOCLAIM', args)) as [Buffer, RawEntry[]]
    return this.hold(name, by, entries)
  }

  plan(name: StageName, by: string, count: number): void {
    const hands = this.of(name, by)
    if (hands.entries.length > 0) hands.attempt = this.attempt(name, hands.entries.slice(0, count))
  }

  /** Once more after it was committed, too: as a consumer does that has not had the reply. */
  async commit(name: StageName, by: string): Promise<'nothing' | CommitReply['status']> {
    const hands = this.of(name, by)
    const { attempt, generation } = hands
    if (!attempt?.entries.length) return 'nothing'
    const now = await currentGeneration(this.scope.redis)
    const stage = stageOf(name)
    const reply = await commit(this.scope, { stage, keys: this.scope.keys, consumer: by }, attempt.plan, generation)
    const ids = attempt.entries.map(({ id }) => id)
    const expected = this.model.commit(name, by, ids, attempt.plan, generation === now)
    const { atMs: _, again: __, invalidIds: ___, ...reported } = { atMs: 0, again: 0, invalidIds: [], ...reply } // it is Redis' clock that decides
    expect(reported).toEqual(expected.status === 'generation' ? { ...expected, generation: now } : expected)
    this.saw(name, attempt, reply)
    if (reply.status === 'committed') {
      await this.model.follow(this.scope.redis, name)
      hands.entries = hands.entries.filter(({ id }) => !ids.includes(id))
      return reply.status
    }
    if (reply.status === 'generation') hands.generation = reply.generation
    let { entries } = attempt
    if (reply.status === 'stale') {
      const gone = ids.filter((id) => !reply.held.includes(id))
      hands.entries = hands.entries.filter(({ id }) => !gone.includes(id))
      entries = entries.filter(({ id }) => reply.held.includes(id))
    }
    if (reply.status === 'differs') {
      const names = namesIn(attempt.plan)
      const held = reply.held.map(([at, value]) => [names[at] ?? '', value] as const)
      // It learns something each time, so it comes to an end.
      expect(held.every(([name, value]) => attempt.known.get(name) === value)).toBe(false)
      hands.attempt = this.attempt(name, entries, new Map([...attempt.known, ...held]))
    } else hands.attempt = this.attempt(name, entries)
    return reply.status
  }

  /** Lets one consumer read everything and process what it has. */
  async processAll(name: StageName): Promise<void> {
    await this.read(name, 'last', 1_000)
    this.plan(name, 'last', 1_000)
    let reply: string
    do reply = await this.commit(name, 'last')
    while (reply !== 'committed' && reply !== 'nothing')
  }

  private attempt(name: StageName, entries: readonly Entry[], known = new Map<string, string>()): Attempt {
    const onDecideFailed = (_: string, error: unknown): void => {
      throw error
    }
    const stage = stageOf(name)
    const channel = pipeline.channel(stage.from)
    const planning = {
      stage,
      channel,
      keys: this.scope.keys,
      format: this.scope.format,
      now: new Date(0),
      known,
      onDecideFailed,
    }
    return { entries, known, plan: planBatch(planning, entries) }
  }

  private hold(name: StageName, by: string, entries: readonly RawEntry[]): number {
    const hands = this.of(name, by)
    for (const [rawId, fields] of entries) {
      const id = String(rawId)
      this.model.pending[name].set(id, by)
      if (hands.entries.some((entry) => entry.id === id)) continue
      hands.entries.push(decodeEntry(pipeline, id, fields, stageOf(name).from))
    }
    return entries.length
  }

  private of(name: StageName, by: string): Hands {
    const all = this.hands.get(name)
    const hands = all?.get(by) ?? { entries: [], generation: this.guess }
    all?.set(by, hands)
    return hands
  }

  private saw(name: StageName, { known }: Attempt, reply: CommitReply): void {
    const what: string[] = [reply.status]
    if (reply.status === 'stale' && reply.held.length > 0) what.push('stale in part')
    if (reply.status === 'differs' && known.size > 0) what.push('differs again')
    if (reply.status === 'committed' && known.size > 0) what.push('differs, then committed')
    if (reply.status === 'committed' && reply.duplicates > 0) what.push('duplicate')
    if (reply.status === 'committed') what.push(...this.model.outcomes.splice(0))
    for (const each of what) this.seen.set(`${name} ${each}`, (this.seen.get(`${name} ${each}`) ?? 0) + 1)
  }
}
type RawEntry = [Buffer, Buffer[]]

async function currentGeneration(redis: Redis): Promise<number> {
  return Math.floor(Number((await redis.time())[0]) / generationSeconds(config))
}

type RawModel = { readonly counted: boolean; readonly orders: number } & (
  | { readonly sent: readonly Sent[] }
  | { readonly text: string }
)
/** An order that was admitted, or a correction of one: what it adds. */
interface Passed {
  readonly user: string
  readonly order: string
  readonly cents: number
  readonly orders: number
  readonly correction: Exclude<Good['kind'], 'placed'> | undefined
  readonly eventId: string | undefined
}
interface Totals {
  orders: number
  cents: number
}
interface Refused {
  readonly group: string
  readonly reason: string
  readonly body: string
}

/** The pipeline without Redis: record after record in the order of the commits. */
class Model {
  readonly raw = new Map<string, RawModel>()
  readonly valid = new Map<string, readonly Passed[]>()
  readonly counted = new Map<string, readonly (Totals & { readonly user: string; readonly of: number })[]>()
  /** entry → who holds it */
  readonly pending = { validate: pendingOf(), aggregate: pendingOf(), leaderboard: pendingOf() }
  /** Counts the entries that have been read of each stream. */
  readonly read = { validate: 0, aggregate: 0, leaderboard: 0 }
  readonly counters = new Map<string, number>()
  readonly book = new OrderBook()
  /** The ledger, by name. */
  readonly ledger = new Map<string, string>()
  readonly refused: Refused[] = []
  readonly totals = new Map<string, Totals>([['ann', { orders: 0, cents: fortune }]])
  readonly boards = new Map<string, Totals>()
  /** The outcomes of the messages of the last commit. */
  readonly outcomes: string[] = []
  /** Holds the records that the last commit had to emit. */
  private emitted: Emitted | undefined

  unread(name: StageName): number {
    const stream = { validate: this.raw, aggregate: this.valid, leaderboard: this.counted }[name]
    return stream.size - this.read[name]
  }

  count(name: string, by: number): void {
    if (by > 0) this.counters.set(name, (this.counters.get(name) ?? 0) + by)
  }

  commit(name: StageName, by: string, ids: readonly string[], plan: Plan, inTime: boolean): Expected {
    const pending = this.pending[name]
    const held = ids.filter((id) => pending.has(id))
    for (const id of held) pending.set(id, by)
    if (held.length < ids.length) return { status: 'stale', held }
    if (name === 'validate') {
      if (!inTime) return { status: 'generation' }
      const differences = this.differences(plan)
      if (differences.length > 0) return { status: 'differs', held: differences }
    }
    for (const id of ids) pending.delete(id)
    return { status: 'committed', ...this[name](ids) }
  }

  /** Compares what a plan expects of the ledger, line after line, with what it holds: the places that differ and what is there. */
  private differences(plan: Plan): (readonly [at: number, value: string])[] {
    const names = namesIn(plan)
    const differ: [number, string][] = []
    const written = new Map<string, string>()
    const holds = (name: string): string => written.get(name) ?? this.ledger.get(name) ?? ''
    let next = plan.emits.length + plan.rejects.length
    for (const [at, value] of [
      ...plan.emits.map(({ admitted }) => admitted?.line.value ?? ''),
      ...plan.rejects.map(() => '-'),
    ].entries()) {
      const name = names[at] ?? ''
      const held = holds(name)
      const change = plan.emits[at]?.admitted?.change
      // A line is new, or says what is there already. A correction that is known already must not change its order again.
      if (held !== '' && (held !== value || change)) differ.push([at, held])
      if (held === '') written.set(name, value)
      if (!change) continue
      if (holds(change.name) === change.expected) written.set(change.name, change.value)
      else {
        if (held === '') differ.push([at, ''])
        differ.push([next, this.ledger.get(change.name) ?? ''])
      }
      next++
    }
    for (const { name, expected } of plan.expects.values()) {
      const held = this.ledger.get(name) ?? ''
      if (held !== expected) differ.push([next, held])
      next++
    }
    return differ
  }

  private validate(ids: readonly string[]) {
    const passed: Passed[] = []
    let duplicates = 0
    let rejected = 0
    const refuse = (message: string, refused: Refused, orders: number): void => {
      const name = `message ${message}`
      if (this.ledger.has(name)) {
        duplicates++
        return
      }
      this.ledger.set(name, '-')
      this.refused.push(refused)
      this.outcomes.push(refused.group)
      this.count(`rejected:${refused.group.split(':')[0]}`, orders)
      rejected += orders
    }
    const judge = (sent: Sent): void => {
      const judgment = 'kind' in sent ? this.book.judge(sent) : { is: 'refused' as const, ...sent }
      if (judgment.is === 'refused') refuse(messageName(sent), { ...judgment, body: sent.body }, 1)
      else if (judgment.is === 'duplicate') duplicates++
      else if ('kind' in sent) accept(sent, judgment)
    }
    const accept = (sent: Good, judgment: Accepted): void => {
      this.record(sent)
      const correction = sent.kind === 'placed' ? undefined : sent.kind
      this.outcomes.push(correction ? `corrected:${correction}` : 'admitted')
      const [cents, orders] = [Number(judgment.cents), Number(judgment.orders)]
      const eventId = sent.kind === 'placed' ? undefined : sent.eventId
      passed.push({ user: sent.user, order: sent.order, cents, orders, correction, eventId })
    }
    for (const id of ids) {
      const entry = this.raw.get(id)
      if (!entry) throw new Error(`${id} was never sent`)
      if ('sent' in entry) for (const sent of entry.sent) judge(sent)
      else refuse(id, { group: 'malformed-json', reason: 'Malformed JSON', body: entry.text }, entry.orders)
      if (!entry.counted) this.count('received', entry.orders)
    }
    const kinds = passed.flatMap(({ correction }) => correction ?? [])
    this.count('admitted', passed.length - kinds.length)
    this.count('corrected', kinds.length)
    for (const kind of kinds) this.count(`corrected:${kind}`, 1)
    this.count('duplicates', duplicates)
    this.count('rejected', rejected)
    const records = passed.map(({ user, order, cents, correction, eventId }) => {
      const event = { ...(correction && { correction }), ...(eventId !== undefined && { event_id: eventId }) }
      return { user_id: user, order_id: order, minor: cents, ...event }
    })
    this.emitted = {
      records,
      orders: passed.length,
      has: (id) => this.valid.has(id),
      arrived: (id) => this.valid.set(id, passed),
    }
    return { passed: passed.length, duplicates, rejected }
  }

  /** Writes an accepted message into the ledger: its own line, and of a correction what it leaves of the order. */
  private record(sent: Good): void {
    const order = checkMessage(sent.body, plainFormat)
    if ('code' in order) throw new Error(order.reason)
    if (!('kind' in order)) {
      const identity = identityOf(order, plainFormat)
      this.ledger.set(orderName(identity), `${identity.fingerprint}${sent.cents}`)
      return
    }
    const identity = correctionIdentityOf(order, plainFormat)
    this.ledger.set(eventName(identity), identity.fingerprint)
    const [admitted = ''] = this.ledger.get(orderName(identity))?.split(' ') ?? []
    this.ledger.set(orderName(identity), `${admitted} ${this.book.left(sent)}`)
  }

  private aggregate(ids: readonly string[]) {
    const records = ids.flatMap((id) => this.valid.get(id) ?? [])
    const touched = new Map<string, number>()
    for (const { user, cents, orders } of records) {
      const totals = this.totals.get(user) ?? { orders: 0, cents: 0 }
      this.totals.set(user, { orders: totals.orders + orders, cents: totals.cents + cents })
      touched.set(user, (touched.get(user) ?? 0) + 1)
      this.count('applied:corrections', 1 - orders)
    }
    this.count('applied', records.length)
    const counted = [...touched].map(([user, of]) => ({
      user,
      of,
      ...(this.totals.get(user) ?? { orders: 0, cents: 0 }),
    }))
    this.emitted = {
      records: counted.map(({ user, of, orders, cents }) => {
        return { user_id: user, orders: of, order_count: orders, total_spend_minor: cents }
      }),
      orders: records.length,
      has: (id) => this.counted.has(id),
      arrived: (id) => this.counted.set(id, counted),
    }
    return { passed: records.length, duplicates: 0, rejected: 0 }
  }

  private leaderboard(ids: readonly string[]) {
    let passed = 0
    // By the totals as they are now, which may be those of later records.
    for (const { user, of } of ids.flatMap((id) => this.counted.get(id) ?? [])) {
      const totals = this.totals.get(user)
      if (totals && totals.orders > 0) this.boards.set(user, totals)
      else if (this.boards.delete(user)) this.outcomes.push('left')
      passed += of
    }
    this.count('ranked', passed)
    this.emitted = undefined
    return { passed, duplicates: 0, rejected: 0 }
  }

  /** Gives the model the id of the entry that a commit has emitted: the last one of the stream. */
  async follow(redis: Redis, name: StageName): Promise<void> {
    const emitted = this.emitted
    if (!emitted || emitted.orders === 0) return
    const stream = name === 'validate' ? streamOf.aggregate : streamOf.leaderboard
    const [[id = '', fields = []] = []] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1)
    expect(emitted.has(id)).toBe(false)
    const [n, orders, r, records = ''] = fields
    expect([n, orders, r, JSON.parse(records)]).toEqual(['n', `${emitted.orders}`, 'r', emitted.records])
    emitted.arrived(id)
  }
}

type Expected =
  | { readonly status: 'committed'; readonly passed: number; readonly duplicates: number; readonly rejected: number }
  | { readonly status: 'stale'; readonly held: readonly string[] }
  | { readonly status: 'differs'; readonly held: readonly (readonly [at: number, value: string])[] }
  | { readonly status: 'generation' }

interface Emitted {
  readonly records: readonly object[]
  readonly orders: number
  has(id: string): boolean
  arrived(id: string): void
}

const pendingOf = () => new Map<string, string>()

/** At any moment: what came in has gone out or waits, by the streams' own entries; each user's sums are in the totals. */
async function expectBooks(redis: Redis, model: Model): Promise<void> {
  const asked = redis.multi().hgetall('pipeline:counters').hgetall('global:stats')
  for (const user of users) asked.hgetall(`user:${user}`)
  for (const name of stageNames) {
    asked
      .xrange(streamOf[name], '-', '+')
      .xinfo('GROUPS', streamOf[name])
      .xpending(streamOf[name], name, '-', '+', 10_000)
  }
  const replies = (await asked.exec())?.map(([error, reply]) => {
    if (error) throw error
    return reply
  })
  const [counters = {}, global = {}, ...rest] = (replies ?? []) as Record<string, string>[]
  expect(counters).toEqual(Object.fromEntries([...model.counters].map(([name, value]) => [name, `${value}`])))

  const waiting = stageNames.map((name, at) => {
    const [entries, groups, pending] = rest.slice(users.length + 3 * at) as unknown as [
      [string, string[]][],
      unknown[][],
      [string, string, number, number][],
    ]
    expect(new Map(pending.map(([id, by]) => [id, by]))).toEqual(model.pending[name])
    const delivered = String(groups[0]?.[groups[0].indexOf('last-delivered-id') + 1])
    const held = new Set(pending.map(([id]) => id))
    const waits = entries.filter(([id]) => held.has(id) || isAfter(id, delivered))
    const counted = waits.filter(([, fields]) => name !== 'validate' || fields.includes('c'))
    return counted.reduce((sum, [, [, n]]) => sum + Number(n), 0)
  })
  const of = (name: string): number => Number(counters[name] ?? 0)
  const passed = of('admitted') + of('corrected')
  expect(passed + of('duplicates') + of('rejected') + (waiting[0] ?? 0)).toBe(of('received'))
  expect(of('applied') + (waiting[1] ?? 0)).toBe(passed)
  expect(of('ranked') + (waiting[2] ?? 0)).toBe(of('applied'))

  const sum = (field: string): number =>
    rest.slice(0, users.length).reduce((sum, user) => sum + Number(user[field] ?? 0), 0)
  expect([sum('order_count'), sum('total_spend_minor')]).toEqual([
    Number(global['total_orders'] ?? 0),
    Number(global['total_revenue_minor'] ?? 0),
  ])
  expect(of('applied')).toBe(sum('order_count') + of('applied:corrections'))
}

function isAfter(id: string, other: string): boolean {
  const [ms = 0, sequence = 0] = id.split('-').map(Number)
  const [otherMs = 0, otherSequence = 0] = other.split('-').map(Number)
  return ms > otherMs || (ms === otherMs && sequence > otherSequence)
}

/** Checks the end, when nothing waits: users, boards, the ledger and all four forms of the invalid channel. */
async function expectResults(redis: Redis, model: Model): Promise<void> {
  for (const name of stageNames) expect(model.pending[name].size).toBe(0)
  for (const user of users) {
    const totals = model.totals.get(user)
    const stored = totals && { order_count: `${totals.orders}`, total_spend_minor: `${totals.cents}` }
    expect(await redis.hgetall(`user:${user}`)).toEqual(stored ?? {})
  }
  const ranked = [...model.totals].filter(([, { orders }]) => orders > 0)
  expect(model.boards).toEqual(new Map(ranked))
  const ofField = (field: keyof Totals) => new Map(ranked.map(([user, totals]) => [user, totals[field]]))
  expect(await board(redis, 'leaderboard:orders')).toEqual(ofField('orders'))
  expect(await board(redis, 'leaderboard:spend')).toEqual(ofField('cents'))

  const buckets = await Promise.all((await redis.keys('ledger:*')).map((bucket) => redis.hgetall(bucket)))
  expect(buckets.flatMap((bucket) => Object.values(bucket)).sort()).toEqual([...model.ledger.values()].sort())

  const listed = (await redis.lrange('invalid_orders', 0, -1)).reverse().map((text) => JSON.parse(text))
  expect(listed.map(({ id: _, ...kept }) => kept)).toEqual(model.refused.map(kept))
  const streamed = await redis.xrange('orders:invalid', '-', '+')
  const codes = model.refused.map(({ group }) => group.split(':')[0])
  expect(streamed.map(([, [, code]]) => code)).toEqual(codes)
  expect(streamed.map(([id, [, , , record = '']]) => ({ id, ...JSON.parse(record) }))).toEqual(listed)
  const grouped = new Map<string, string[]>()
  model.refused.forEach(({ group }, at) => {
    const [ms, sequence = ''] = String(listed[at]?.id).split('-')
    grouped.set(`invalid:${group}`, [...(grouped.get(`invalid:${group}`) ?? []), `${ms}-${sequence.padStart(10, '0')}`])
  })
  const keys = await redis.keys('invalid:*')
  const groups = await Promise.all(keys.map(async (key) => [key, await redis.zrange(key, '0', '-1')] as const))
  expect(new Map(groups)).toEqual(grouped)
}

async function board(redis: Redis, key: string): Promise<Map<string, number>> {
  const reply = await redis.zrange(key, '0', '-1', 'WITHSCORES')
  return new Map(reply.flatMap((member, at) => (at % 2 === 0 ? [[member, Number(reply[at + 1])]] : [])))
}

/** A refused order as the invalid channel keeps it: as an object where it is one, else as text. */
function kept({ group, reason, body }: Refused): object {
  const order = body.startsWith('{') ? { order: JSON.parse(body) } : { order: null, raw: body }
  return { ...order, code: group.split(':')[0], reason, ts: new Date(0).toISOString(), attempts: 1 }
}
