import { fileURLToPath } from 'node:url'
import type { Env } from '../support/world.ts'
import {
  abandon,
  cut,
  expire,
  fillMemory,
  flushScripts,
  freeze,
  killOne,
  killServer,
  receiveAndForget,
  redisLine,
  refuseWrites,
  restartOnFull,
  type Strike,
  slow,
  sqsLine,
  stop,
  touchGroup,
  zombie,
} from './strikes.ts'
import type { Post } from './world.ts'

/** Describes one kind of fault, which strikes alone. */
export interface Fault {
  readonly name: string
  /** One after the other, each when another share of the orders has been sent. */
  readonly strikes: readonly Strike[]
  /** Number of times that each body is sent. */
  readonly copies?: number
  /** True if SQS must have delivered something again. */
  readonly redelivers?: boolean
}

const stages = ['validate', 'calendar', 'aggregate', 'leaderboard'] as const
const line = ['bridge', ...stages]

/** The fewest processes with two of each role. */
export const twoOfAll: readonly Post[] = [{ roles: line }, { roles: line }]

/** Two of each role, each a process of its own. */
export const twoOfEach: readonly Post[] = twice(line)
  .flat()
  .map((role) => ({ roles: [role] }))

export const wrongClocks: readonly Post[] = [3, -3].map((days) => ({ roles: line, env: clock(days) }))

const times = (count: number, strike: Strike): Strike[] => Array.from({ length: count }, () => strike)

/** Longer than CLAIM_IDLE_MS in these tests. */
const pastIdleMs = 1_500
/** Longer than SQS_VISIBILITY_TIMEOUT_SECONDS in these tests. */
const pastVisibilityMs = 6_000

export const faultsOfProcesses: readonly Fault[] = [
  ...line.map((role) => ({ name: `kill -9 of a ${role} again and again`, strikes: times(3, killOne(role)) })),
  {
    name: 'a stage that stands still for longer than the claim idle time, goes on, and finds that it is stale',
    strikes: [
      zombie('validate', 'orders:raw'),
      zombie('calendar', 'orders:valid'),
      zombie('aggregate', 'orders:valid'),
      zombie('leaderboard', 'orders:counted'),
    ],
  },
]

export const faultOfClocks: Fault = {
  name: 'clocks that are three days ahead and three days behind',
  strikes: times(2, killOne('validate')),
}

export const faultsOfConnections: readonly Fault[] = [
  { name: 'connections to Redis that are cut', strikes: times(12, cut(redisLine)) },
  { name: 'connections to SQS that are cut', strikes: times(12, cut(sqsLine)) },
  {
    name: 'connections that are slow',
    strikes: [slow(redisLine, 1_500), slow(sqsLine, 1_500)],
  },
  {
    name: 'connections that are frozen for a while',
    strikes: [freeze(redisLine, pastIdleMs), freeze(sqsLine, pastIdleMs)],
  },
  {
    name: 'visibility timeouts that end while a batch is in flight',
    strikes: [freeze(redisLine, pastVisibilityMs), expire(pastVisibilityMs)],
    redelivers: true,
  },
  { name: 'connections that hang for good', strikes: [abandon(redisLine), abandon(sqsLine)] },
]

/** Long enough for each process to be killed and to fail again; OUTAGE_MS=420000 is what was seen to empty a queue into its dead-letter queue. */
const refusingMs = Number(process.env['OUTAGE_MS'] ?? 6_000)

export const faultsOfServers: readonly Fault[] = [
  { name: 'a Redis that refuses writes, while processes start again and again', strikes: [refuseWrites(refusingMs)] },
  { name: 'kill -9 of Redis again and again', strikes: times(4, killServer('redis')) },
  { name: 'kill -9 of SQS again and again', strikes: times(3, killServer('sqs')) },
  { name: 'a Redis without memory', strikes: times(2, fillMemory(1_000)) },
  { name: 'processes that start while Redis has no memory', strikes: [restartOnFull] },
  { name: 'SCRIPT FLUSH', strikes: times(12, flushScripts) },
  {
    name: 'every message twice, and some received by a consumer that does not delete them',
    strikes: times(4, receiveAndForget),
    copies: 2,
  },
]

/** Each stage's group destroyed and moved, some of it while a process is killed. */
export const faultOfGroups: Fault = {
  name: 'consumer groups that are destroyed, set back and set forward',
  strikes: Array.from({ length: 2 }, () =>
    stages.flatMap((stage): Strike[] => [
      touchGroup(stage, 'destroy'),
      touchGroup(stage, '0'),
      touchGroup(stage, '$'),
      async (world, random) =>
        void (await Promise.all([killOne(stage)(world, random), touchGroup(stage, '0')(world, random)])),
    ]),
  ).flat(),
}

/** The bridge survives: killed again and again it would receive messages too often. */
export const twoOfEachStage: readonly Post[] = [{ roles: ['bridge'] }, ...twice({ roles: stages })]

/** Two of each role, half of them with a wrong clock, and one of the others. */
export const everyRoleTwice: readonly Post[] = [
  ...line.map((role) => ({ roles: [role] })),
  ...line.map((role, at) => ({ roles: [role], env: clock(at % 2 === 0 ? 3 : -3) })),
  { roles: ['jobs'] },
  { roles: ['api'] },
]

/** Returns this many kills, with every other fault in between. */
export function everything(kills: number): Strike[] {
  const of = (share: number, strike: Strike): Strike[] => times(Math.ceil(kills * share), strike)
  const servers = [...of(0.24, killServer('redis')), ...of(0.06, killServer('sqs'))]
  return [
    ...servers,
    ...times(kills - servers.length, (world, random) => world.kill(random.pick(world.workers))),
    ...of(0.05, cut(redisLine)),
    ...of(0.05, cut(sqsLine)),
    ...of(0.05, flushScripts),
    ...of(0.05, receiveAndForget),
    ...of(0.02, slow(redisLine, 1_000)),
    ...of(0.02, slow(sqsLine, 1_000)),
    ...of(0.02, freeze(redisLine, pastIdleMs)),
    ...of(0.01, freeze(sqsLine, pastIdleMs)),
    ...of(0.01, freeze(redisLine, pastVisibilityMs)),
    ...of(0.01, abandon(redisLine)),
    ...of(0.02, fillMemory(500)),
    ...stages.flatMap((stage) => of(0.01, stop(stage, pastIdleMs))),
  ]
}

function twice<T>(one: T): T[] {
  return [one, one]
}

function clock(days: number): Env {
  const preload = fileURLToPath(new URL('../support/clock.ts', import.meta.url))
  return { NODE_OPTIONS: `--import=${preload}`, CLOCK_OFFSET_MS: String(days * 86_400_000) }
}
