import { Redis } from 'ioredis'
import type { RedisServer } from '../test/support/redis-server.ts'
import { checkTotals } from './check.ts'
import {
  alternate,
  costOf,
  type Figure,
  figure,
  fixed,
  type Options,
  openRedisServer,
  type Round,
  rateCells,
  rateHead,
  table,
} from './harness.ts'
import type { Task } from './line/worker.ts'
import { benchOrders, meanBytes } from './orders.ts'
import { startWorker } from './worker.ts'

interface Entrant {
  readonly key: string
  readonly about: string
  readonly contender: string
  /** Levels to try in a short round each. The fastest one is measured. */
  readonly levels: readonly number[]
  readonly what: string
  /** Share of the orders. Slow contenders get fewer; their rate does not depend on it. */
  readonly share: number
  /** Runs only where it is asked for by --only. */
  readonly isExtra?: true
}

const entrants: readonly Entrant[] = [
  { key: 'ours', contender: 'ours', about: 'order-pipeline', levels: [4], what: 'STAGE_IN_FLIGHT', share: 1 },
  ...[0, 10, 100].map(
    (level): Entrant => ({
      ...{ key: `traced${level}`, contender: 'traced', levels: [level], what: '', share: 1, isExtra: true },
      about: `with a collector of traces, ${level / 10} % of the orders sampled`,
    }),
  ),
  {
    ...{ key: 'archived', contender: 'archived', levels: [4], what: '', share: 1, isExtra: true },
    about: 'with the archive, in a folder',
  },
  {
    key: 'bullmq',
    contender: 'bullmq',
    about: 'BullMQ, a queue per stage',
    levels: [50, 100, 200],
    what: 'concurrency',
    share: 0.2,
  },
  {
    key: 'moleculer',
    contender: 'moleculer',
    about: '@moleculer/channels',
    levels: [50, 200],
    what: 'maxInFlight',
    share: 0.2,
  },
  {
    key: 'perMessage',
    contender: 'tutorial',
    about: 'per message XREADGROUP + MULTI, as tutorials do',
    levels: [1],
    what: '',
    share: 0.2,
  },
  {
    key: 'perMessageLoops',
    contender: 'tutorial',
    about: 'the same in several loops a stage',
    levels: [2, 8],
    what: 'loops',
    share: 0.2,
  },
  {
    key: 'floorPipeline',
    contender: 'floor-pipeline',
    about: 'floor: one pipeline per 500',
    levels: [0],
    what: '',
    share: 1,
  },
  {
    key: 'floorScript',
    contender: 'floor-script',
    about: 'floor: one script per 500',
    levels: [0],
    what: '',
    share: 1,
  },
]

/** Measures from orders on orders:raw until all of them are ranked. */
export async function line({
  orders = 100_000,
  rounds,
  profile,
  print,
  only,
}: Options): Promise<Record<string, unknown>> {
  await using server = await openRedisServer()
  const chosen = entrants.filter(({ key, isExtra }) => (only.length === 0 ? !isExtra : only.includes(key)))
  const entered = []
  for (const entrant of chosen) entered.push(await prepare(entrant, server, orders, profile))
  const results = await alternate(entered, rounds, ({ run, count }) => run(count))
  for (const { end } of entered) await end()
  const figures = new Map(
    [...results].map(([{ entrant, level }, done]) => [entrant.key, { entrant, level, ...figure(done) }]),
  )
  const sample = meanBytes(benchOrders(10_000))
  print(
    `${orders.toLocaleString('en-US')} orders of 10,000 users (Zipf), mean body ${sample} bytes; totals checked after every round`,
  )
  print(lineTable([...figures.values()], figures.get('ours')))
  return {
    meanBodyBytes: sample,
    ...Object.fromEntries([...figures].map(([key, { entrant: _, ...rest }]) => [key, rest])),
  }
}

type Shown = Figure & { readonly entrant: Entrant; readonly level: number }

function lineTable(rows: readonly Shown[], ours: Shown | undefined): string {
  const cells = rows.map((row) => {
    const { about, what, levels, share } = row.entrant
    const chosen = levels.length > 1 ? ` (best ${what}: ${row.level} of ${levels.join(', ')})` : ''
    const ratio = ours ? `${fixed(ours.perSecond / row.perSecond, 2)}×` : '-'
    const cheaper = ours ? `${fixed(costOf(row) / costOf(ours), 2)}×` : '-'
    return [`${about}${chosen}${share < 1 ? '*' : ''}`, ...rateCells(row), ratio, cheaper]
  })
  return `${table(['line', ...rateHead, 'ours is faster', 'by CPU'], cells)}\n* fewer orders: its rate does not depend on how many`
}

async function prepare(entrant: Entrant, server: RedisServer, orders: number, profile: boolean) {
  const worker = startWorker<Task, Round>('./line/worker.ts', `line-${entrant.key}`, false)
  const count = Math.round(orders * entrant.share)
  const run = async (count: number, level: number): Promise<Round> => {
    await using redis = await emptied(server.url)
    const task: Task = {
      contender: entrant.contender,
      level,
      url: server.url,
      redisPid: server.pid(),
      orders: count,
      ...(profile && { profile: `line-${entrant.key}` }),
    }
    const result = await worker.round(task)
    await checkTotals(redis.client, benchOrders(count), entrant.about)
    return result
  }
  const level = await bestLevel(entrant.levels, (level) => run(Math.ceil(count / 4), level))
  return { entrant, level, count, run: (orders: number) => run(orders, level), end: worker.end }
}

/** Finds the best level in short rounds, which also warm up the process. */
async function bestLevel(levels: readonly number[], run: (level: number) => Promise<Round>): Promise<number> {
  if (levels.length === 1) await run(levels[0] ?? 0)
  let best = { level: levels[0] ?? 0, rate: 0 }
  for (const level of levels) {
    const { count, ms } = await run(level)
    if (count / ms > best.rate) best = { level, rate: count / ms }
  }
  return best.level
}

async function emptied(url: string): Promise<{ client: Redis } & AsyncDisposable> {
  const client = new Redis(url)
  await client.flushall('SYNC')
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() }
}
