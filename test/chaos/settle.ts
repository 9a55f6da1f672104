import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expectedState, readState, stateDifferences } from '../support/calendar-state.ts'
import type { Oracle } from '../support/oracle.ts'
import { replayUnknown } from '../support/replay-unknown.ts'
import { reportedDifferences } from '../support/reported-calendar.ts'
import { until } from '../support/until.ts'
import type { Expected } from './flow.ts'
import type { World } from './world.ts'

/** Compares what became of everything that was sent with what should have. */
export interface Outcome {
  readonly received: number
  readonly duplicates: number
  /** Orders that are missing in a user's count, and rejected ones that are missing in the invalid channel. */
  readonly lost: number
  readonly doubled: number
  /** Lines of a log that say that something of ours is broken. */
  readonly complaints: readonly string[]
  /** Every number that is not the oracle's, in words. */
  readonly differences: readonly string[]
}

/** Waits until all that was sent is through, and compares. Every fault must be over. */
export async function settle(world: World, expected: Expected): Promise<Outcome> {
  const { redis } = world
  await drained(world)
  if ((await replayUnknown(redis)) > 0) await drained(world)
  const counters = await countersOf(redis)
  const users = await userDifferences(redis, expected.oracle)
  const invalid = await invalidDifferences(redis, expected)
  return {
    received: counters('received') - counters('replayed'),
    duplicates: counters('duplicates'),
    lost: users.lost + invalid.lost,
    doubled: users.doubled + invalid.doubled,
    complaints: complaintsOf(world),
    differences: [
      ...unequal('dead letters', await world.deadLetters(), 0),
      ...bookDifferences(counters, expected.oracle),
      ...users.differences,
      ...invalid.differences,
      ...(await totalDifferences(redis, expected.oracle)),
      ...stateDifferences(await readState(redis, await redis.keys('*')), expectedState(expected.calendar)),
    ],
  }
}

/** Holds for every flow: nothing lost, nothing counted twice, no difference. */
export const exact = { lost: 0, doubled: 0, complaints: [], differences: [] }

function complaintsOf({ workers }: World): string[] {
  const lines = workers.flatMap((worker) => worker.log().split('\n'))
  return lines.filter((line) => /bug in orders|"(vanished|decideFailed)"|has made no progress/.test(line))
}

/** Long enough for what a poller or stage holds without the queue or a group knowing, which is nothing. */
const againMs = 300

/** The queue is empty, the books balance, nothing is pending, and all that still holds a moment later. */
async function drained(world: World): Promise<void> {
  const ask = async (): Promise<Record<string, unknown>> => {
    await sleep(100) // asking takes from the processor time of those who are asked
    const before = await state(world)
    if (before['waits'] !== '') return before
    await sleep(againMs)
    const after = await state(world)
    return after['received'] === before['received'] ? after : { ...after, waits: 'more was received' }
  }
  await until('everything to be through', ask, ({ waits }) => waits === '')
}

async function state(world: World): Promise<Record<string, unknown>> {
  const counters = await countersOf(world.redis)
  const [received, judged] = [
    counters('received'),
    counters('admitted') + counters('corrected') + counters('duplicates') + counters('rejected'),
  ]
  const passed = counters('admitted') + counters('corrected')
  const depth = await world.depth()
  const waits = [
    ...unequal('in the queue', depth, 0),
    ...unequal('judged', judged, received),
    ...unequal('applied', counters('applied'), passed),
    ...unequal('ranked', counters('ranked'), passed),
    ...unequal('dated', counters('dated'), passed),
    ...unequal('pending', await pendingOf(world.redis), 0),
  ].join(', ')
  return { received, waits }
}

type Count = (name: string) => number

async function countersOf(redis: Redis): Promise<Count> {
  const counters = await redis.hgetall('pipeline:counters')
  return (name) => Number(counters[name] ?? 0)
}

async function pendingOf(redis: Redis): Promise<number> {
  let pending = 0
  for (const stream of ['raw', 'valid', 'counted']) {
    const groups = (await redis.xinfo('GROUPS', `orders:${stream}`).catch(() => [])) as unknown[][] // no stream yet
    for (const group of groups) pending += Number(group[group.indexOf('pending') + 1])
  }
  return pending
}

/** Returns how many messages SQS has delivered again. */
function againOf(count: Count, oracle: Oracle): number {
  return count('received') - count('replayed') - oracle.received
}

/** A message that SQS delivers again is one received and one duplicate more. */
function bookDifferences(count: Count, oracle: Oracle): string[] {
  const again = againOf(count, oracle)
  const passed = oracle.admitted + oracle.corrected
  return [
    ...(again < 0 ? [`received: ${count('received')}, sent were ${oracle.received}`] : []),
    ...unequal('admitted', count('admitted'), oracle.admitted),
    ...unequal('corrected', count('corrected'), oracle.corrected),
    ...unequal('duplicates', count('duplicates'), oracle.duplicates + again),
    ...unequal('rejected and not replayed', count('rejected') - count('replayed'), oracle.rejected),
    ...unequal('applied', count('applied'), passed),
    ...unequal('ranked', count('ranked'), passed),
    ...unequal('dated', count('dated'), passed),
    ...[...oracle.corrections].flatMap(([kind, times]) => {
      return unequal(`corrected:${kind}`, count(`corrected:${kind}`), times)
    }),
    ...[...oracle.codes].flatMap(([code, times]) => unequal(`rejected:${code}`, count(`rejected:${code}`), times)),
  ]
}

interface Difference {
  readonly lost: number
  readonly doubled: number
  readonly differences: readonly string[]
}

async function userDifferences(redis: Redis, { users, ranked }: Oracle): Promise<Difference> {
  const onBoards = new Set(ranked.map(([user]) => user))
  const found = await redis.keys('user:*')
  const names = new Set([...users.keys(), ...found.map((key) => key.slice('user:'.length))])
  const rank = (user: string, score: bigint | number): string | null => (onBoards.has(user) ? String(score) : null)
  const differences: string[] = []
  let [lost, doubled] = [0, 0]
  for (const user of names) {
    const { orders, cents } = users.get(user) ?? { orders: 0, cents: 0n }
    const { order_count, total_spend_minor } = await redis.hgetall(`user:${user}`)
    lost += Math.max(0, orders - Number(order_count ?? 0))
    doubled += Math.max(0, Number(order_count ?? 0) - orders)
    differences.push(
      ...unequal(`order_count of ${user}`, order_count, String(orders)),
      ...unequal(`total_spend_minor of ${user}`, total_spend_minor, String(cents)),
      ...unequal(`spend rank of ${user}`, await redis.zscore('leaderboard:spend', user), rank(user, cents)),
      ...unequal(`orders rank of ${user}`, await redis.zscore('leaderboard:orders', user), rank(user, orders)),
    )
  }
  return { lost, doubled, differences }
}

async function invalidDifferences(redis: Redis, { invalid, oracle }: Expected): Promise<Difference> {
  const list = await redis.lrange('invalid_orders', 0, -1)
  const tally = new Map<string, number>()
  const reasons = new Map<string, number>()
  for (const line of list) {
    const { order, raw, reason } = JSON.parse(line) as { order: unknown; raw?: string; reason: string }
    add(tally, raw ?? JSON.stringify(order), 1)
    add(reasons, reason, 1)
  }
  for (const body of invalid) add(tally, body, -1)
  const counts = [...tally.values()]
  const groups = await redis.keys('invalid:*')
  const grouped = await Promise.all(groups.map((key) => redis.zcard(key)))
  return {
    lost: -counts.reduce((sum, count) => sum + Math.min(0, count), 0),
    doubled: counts.reduce((sum, count) => sum + Math.max(0, count), 0),
    differences: [
      ...unequal('bodies in the invalid list that differ', counts.filter((count) => count !== 0).length, 0),
      ...unequal('reasons', JSON.stringify([...reasons].sort()), JSON.stringify([...oracle.reasons].sort())),
      ...unequal('invalid list', list.length, oracle.rejected),
      ...unequal('invalid stream', await redis.xlen('orders:invalid'), oracle.rejected),
      ...unequal(
        'invalid groups',
        grouped.reduce((sum, size) => sum + size, 0),
        oracle.rejected,
      ),
    ],
  }
}

async function totalDifferences(redis: Redis, oracle: Oracle): Promise<string[]> {
  const { total_orders, total_revenue_minor } = await redis.hgetall('global:stats')
  return [
    ...unequal('total_orders', total_orders, String(oracle.orders)),
    ...unequal('total_revenue_minor', total_revenue_minor, String(oracle.cents)),
    ...unequal('users ranked by spend', await redis.zcard('leaderboard:spend'), oracle.ranked.length),
    ...unequal('users ranked by orders', await redis.zcard('leaderboard:orders'), oracle.ranked.length),
  ]
}

/** The same numbers as people see them, once the API has got over the last fault: until then it answers with a 503. */
export async function apiDifferences(url: string, { oracle, calendar }: Expected): Promise<string[]> {
  const get = (path: string): Promise<string> =>
    until(`the API to answer ${path}`, async () => {
      const reply = await fetch(`${url}${path}`)
      return reply.status === 503 ? '' : reply.text()
    })
  const [[, best] = []] = oracle.ranked.sort(([, a], [, b]) => Number(b.cents - a.cents))
  const { users = [] } = JSON.parse(await get('/stats/top-users?by=spend&n=1')) as { users?: { score: number }[] }
  const expected = { total_orders: oracle.orders, total_revenue: Number(oracle.cents) / 100 }
  return [
    ...unequal('/stats/global', await get('/stats/global'), JSON.stringify(expected)),
    ...unequal('/stats/top-users', users[0]?.score, Number(best?.cents) / 100),
    ...(await reportedDifferences(async (path) => JSON.parse(await get(path)), calendar)),
  ]
}

function unequal<T>(what: string, found: T, expected: T): string[] {
  return found === expected ? [] : [`${what}: ${found}, should be ${expected}`]
}

function add(tally: Map<string, number>, key: string, by: number): void {
  tally.set(key, (tally.get(key) ?? 0) + by)
}
