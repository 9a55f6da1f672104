import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import type { Config } from '../../config.ts'
import { audited } from '../../control/audit-log.ts'
import { OrdersError } from '../../errors.ts'
import { makePartitions } from '../../keys.ts'
import { minorIn, minorText } from '../../money.ts'
import { readBooks } from '../../reads/books.ts'
import { safeUrl } from '../../redis/endpoint.ts'
import { unlessRefused } from '../../redis/rights.ts'
import type { Move } from '../../stages/move.ts'
import { defineCommand, flag } from '../command.ts'
import { operatingUser } from '../commands/inspect/audit.ts'
import { table } from '../commands/inspect/status.ts'
import { withRunning } from '../local/running-system.ts'
import { beginAdoption, endAdoption, isAdopting, manifestConflicts, readRepartition } from '../manifest.ts'
import { connectApp } from '../open/open-app.ts'
import { holdLock } from '../repartition/lock.ts'
import { noticedMs } from '../repartition/quiesce.ts'
import { jsonLine, printable } from '../terminal/printable.ts'
import type { Sum } from '../verify/counted-feed.ts'
import { audit } from '../verify/deep-check.ts'
import { adoptBooks } from './books.ts'
import { adoptInvalid } from './invalid.ts'
import { noticePython, pythonKeys } from './python.ts'
import { disagreements, isEmpty, type Survey, survey } from './survey.ts'
import { adoptUsers, stillWritten } from './users.ts'

export const adoptCommand = defineCommand({
  name: 'adopt',
  about:
    'Converts what the Python system has written to this Redis: says what it would do, and with --yes does it. Killed at any moment, it goes on when it is run again.',
  options: {
    yes: flag('converts it; without, nothing is changed'),
    force: flag('converts it though other clients are connected that may write: make sure that they do not'),
    json: flag('as JSON on one line'),
  },
  run: async ({ config, options: { yes, force, json }, signal, print }) => {
    await using app = await connectApp({ ...withRunning(config), logLevel: 'silent' }, 'ask')
    const found = yes
      ? await adopt(app, { force, settleMs: noticedMs, print: json ? () => {} : print }, signal)
      : await look(app, signal)
    print(json ? jsonLine(found, jsonValue) : foundLines(app.config, found))
    if (found.survey.problemCount > 0) process.exitCode = 1
  },
})

export interface Found {
  readonly survey: Survey
  /** Nothing of the Python system is there, and no adoption was cut. */
  readonly nothing: boolean
  readonly differences: readonly string[]
  /** What was converted; undefined where nothing was. */
  readonly adopted?: Sum & { readonly users: number; readonly invalid: number }
}

/** @throws OrdersError where this Redis cannot be adopted as this process is configured */
async function requireAdoptable({ redis, config }: App): Promise<void> {
  if (config.redisCluster) {
    const advice = 'adopt it on the one Redis that the Python system uses, with PARTITIONS set, and move its data then'
    throw new OrdersError('ORD_USAGE', `orders adopt does not work on a Redis Cluster: ${advice}.`)
  }
  const [conflict] = await manifestConflicts(redis, config)
  if (conflict) throw new OrdersError('ORD_MANIFEST', conflict)
  const repartition = await readRepartition(redis)
  if (!repartition) return
  const told = `A repartition to ${repartition.to} is under way`
  throw new OrdersError('ORD_MANIFEST', `${told}: let it end first, by orders repartition --to ${repartition.to}.`)
}

/** Says what an adoption would do; changes nothing. */
export async function look(app: App, signal: AbortSignal): Promise<Found> {
  await requireAdoptable(app)
  const found = await survey(
    moveOf(app, async () => signal.throwIfAborted()),
    app.now(),
  )
  const nothing = isEmpty(found, app.partitions) && !(await isAdopting(app.redis))
  return { survey: found, nothing, differences: disagreements(found) }
}

const moveOf = ({ redis, config, partitions }: App, alive: () => Promise<void>): Move => ({
  ...{ redis, config, alive },
  from: makePartitions(undefined),
  to: partitions,
  durable: async () => {},
})

export interface Adopting {
  /** Does it though other clients are connected that may write. */
  readonly force: boolean
  /** Once others are kept out, so long it waits for what has just started to end. */
  readonly settleMs: number
  print(line: string): void
}

/**
 * Converts all that the Python system has written. Each user, the invalid channel and the books of each partition are
 * converted in one step each, which done twice is the same; so whatever was cut is right when this is run again.
 */
export async function adopt(app: App, { force, settleMs, print }: Adopting, signal: AbortSignal): Promise<Found> {
  const { redis } = app
  await using lock = await holdLock(redis, print, signal, 'orders adopt')
  await requireAdoptable(app)
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock.require()
    app.telemetry.emit('adopting', {})
  }
  const move = moveOf(app, alive)
  const goesOn = await isAdopting(redis)
  const before = await fingerprint(app)
  const found = await survey(move, app.now())
  const seen = { survey: found, differences: disagreements(found) }
  const nothing = !goesOn && isEmpty(found, app.partitions)
  if (nothing || found.problemCount > 0) return { ...seen, nothing }
  if (!force) await requireNoWriters(app)
  await beginAdoption(app)
  try {
    await sleep(settleMs, undefined, { signal }) // a process of orders that has just started ends meanwhile
    if (!force) await requireNoWriters(app)
    if ((await fingerprint(app)) !== before) throw stillWritten('Redis')
  } catch (error) {
    if (!goesOn) await endAdoption(redis) // nothing is converted yet
    throw error
  }
  const what = JSON.stringify({ users: found.users.count, orders: String(found.users.orders) })
  const action = { action: 'orders adopt', by: operatingUser(), what }
  const adopted = await audited(
    app,
    action,
    () => convert(app, move, signal),
    (done) => JSON.stringify({ ...done, orders: String(done.orders), minor: String(done.minor) }),
  )
  return { ...seen, nothing, adopted }
}

type Adopted = NonNullable<Found['adopted']>

async function convert(app: App, move: Move, signal: AbortSignal): Promise<Adopted> {
  const invalid = await adoptInvalid(move, app.now())
  const users = await adoptUsers(move)
  const sum = await adoptBooks(move)
  const python = await noticePython(app.redis)
  if (python !== undefined) throw stillWritten('Redis')
  await move.alive()
  await endAdoption(app.redis) // before the books: what they may say has other remedies, which refuse to run meanwhile
  const wrong = await differencesIn(app, signal)
  if (wrong.length > 0) {
    const advice = 'orders verify --deep says more, and --repair or --write-off puts them right'
    throw new OrdersError('ORD_BOOKS', `All is converted, and the books are not right: ${advice}.\n${wrong.join('\n')}`)
  }
  return { ...sum, users, invalid }
}

async function differencesIn(app: App, signal: AbortSignal): Promise<string[]> {
  const books = await readBooks(app.redis, app.partitions)
  const audited = await audit(app, signal)
  return [...books.losses, ...books.differences, ...(audited.verdict === 'right' ? [] : audited.differences)]
}

/** What changes with every order that either system takes. */
async function fingerprint({ redis, partitions }: App): Promise<string> {
  const { globalStats, invalidOrders, leaderboardOrders } = pythonKeys
  return JSON.stringify([
    ...[await redis.hgetall(globalStats), await redis.llen(invalidOrders), await redis.zcard(leaderboardOrders)],
    ...(await Promise.all(partitions.map(({ counters }) => redis.hgetall(counters)))),
  ])
}

/** The last command of a client that counts orders: of the Python system's, and of ours, whose stages and jobs wait in theirs. */
const writing = new Set([
  ...['hincrby', 'hincrbyfloat', 'zincrby', 'lpush', 'exec', 'hset'],
  ...['evalsha', 'eval', 'xreadgroup', 'xautoclaim', 'xadd', 'bzpopmin'],
])

/**
 * A Redis that does not tell who is connected (CLIENT LIST is forbidden on some managed services) is taken at its numbers,
 * which must stand still.
 * @throws OrdersError ORD_USAGE where another client is connected whose last command was one of those
 */
async function requireNoWriters({ redis }: App): Promise<void> {
  const list = await unlessRefused(redis.client('LIST') as Promise<string>)
  const database = String(redis.options.db ?? 0)
  for (const line of (list ?? '').split('\n')) {
    const of = Object.fromEntries(line.split(' ').map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
    if (of['db'] !== database || !writing.has(of['cmd'] ?? '')) continue
    const told = `A client at ${of['addr']} is connected whose last command was ${String(of['cmd']).toUpperCase()}`
    const advice =
      'stop every process of the Python system and of orders first, or say --force if it does not write orders'
    throw new OrdersError('ORD_USAGE', `${told}: ${advice}.`)
  }
}

/** JSON knows neither bigint nor Map: sums beyond 2^53 are rounded. */
function jsonValue(_: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value)
  return typeof value === 'bigint' ? Number(value) : value
}

const number = (value: number | bigint): string => value.toLocaleString('en')

export function foundLines(config: Config, { survey: found, nothing, differences, adopted }: Found): string[] {
  const url = safeUrl(config)
  if (nothing) return [`There is nothing to adopt: Redis at ${url} holds nothing of the Python system.`]
  const { users, global, spend, orders, invalid, problems, problemCount } = found
  const count = [...invalid.values()].reduce((sum, one) => sum + one, 0)
  const codes = [...invalid].map(([code, one]) => [`  ${code}`, number(one), '', ''])
  const unknown = (value: bigint | undefined): string => (value === undefined ? '?' : number(value))
  const lines = [
    `What the Python system has written to Redis at ${url}:`,
    ...table([
      ['', 'entries', 'orders', 'cents'],
      ['users', number(users.count), number(users.orders), number(users.minor)],
      [pythonKeys.globalStats, '', global.orders ?? '-', unknown(minorIn(global.revenue ?? ''))],
      [pythonKeys.leaderboardSpend, number(spend.users), '', unknown(spend.sum)],
      [pythonKeys.leaderboardOrders, number(orders.users), unknown(orders.sum), ''],
      [pythonKeys.invalidOrders, number(count), '', ''],
      ...codes,
    ]),
    '',
    ...(differences.length === 0 ? ['Users, leaderboards and global stats agree to the cent.'] : differences),
    "The users' hashes are the truth: global stats become their sum, and both leaderboards are rebuilt.",
  ]
  if (problemCount > 0) {
    const more = problemCount > problems.length ? [`and ${number(problemCount - problems.length)} more.`] : []
    const head = 'Nothing is converted, for these keys cannot be: mend or delete them, and run this again.'
    return [...lines, '', head, ...problems.map((problem) => printable(`${problem}.`)), ...more]
  }
  if (adopted) {
    const sums = `${number(adopted.orders)} orders and ${minorText(Number(adopted.minor))} of revenue`
    const did = `Adopted: ${number(adopted.users)} users and ${number(adopted.invalid)} invalid orders`
    return [...lines, '', `${did}; there are ${sums} now, and the books balance.`]
  }
  const advice = 'stop every process of the Python system, back Redis up, and run orders adopt --yes'
  return [...lines, '', `Nothing is changed yet: ${advice}.`]
}
