import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { holdLock } from '../../control/lock.ts'
import { OrdersError } from '../../errors.ts'
import { makePartitions } from '../../keys.ts'
import type { Sum } from '../../order/money.ts'
import { readBooks } from '../../reads/books.ts'
import { beginAdoption, endAdoption, isAdopting } from '../manifest/adoption.ts'
import { readRepartition } from '../manifest/repartition.ts'
import { manifestConflicts } from '../manifest/settings.ts'
import { operatingUser } from '../process/operating-user.ts'
import type { Move } from '../repartition/move.ts'
import { deepCheck } from '../verify/deep-check.ts'
import { adoptBooks } from './books.ts'
import { adoptInvalid } from './invalid.ts'
import { noticePython } from './python.ts'
import { disagreements, isEmpty, type Survey, survey } from './survey.ts'
import { adoptUsers, stillWritten } from './users.ts'
import { fingerprint, requireNoWriters } from './writers.ts'

export interface Found {
  readonly survey: Survey
  /** Redis holds nothing of the Python system, and no adoption was interrupted. */
  readonly nothing: boolean
  readonly differences: readonly string[]
  /** The converted data; undefined if there was none. */
  readonly adopted?: Sum & { readonly users: number; readonly invalid: number }
}

/** @throws OrdersError when this Redis cannot be adopted with the configuration of this process */
async function requireAdoptable({ redis, config }: App): Promise<void> {
  if (config.redisCluster) {
    const advice = 'adopt it on the one Redis that the Python system uses, with PARTITIONS set, and move its data then'
    throw new OrdersError('ORD_USAGE', `orders adopt does not work on a Redis Cluster: ${advice}.`)
  }
  const [conflict] = await manifestConflicts(redis, config)
  if (conflict) throw new OrdersError('ORD_MANIFEST', conflict)
  const repartition = await readRepartition(redis)
  if (!repartition) return
  const problem = `A repartition to ${repartition.to} is under way`
  throw new OrdersError('ORD_MANIFEST', `${problem}: let it end first, by orders repartition --to ${repartition.to}.`)
}

/** Surveys what an adoption would convert. Changes nothing. */
export async function preview(app: App, signal: AbortSignal): Promise<Found> {
  await requireAdoptable(app)
  const found = await survey(
    moveOf(app, async () => signal.throwIfAborted()),
    app.now(),
  )
  const nothing = isEmpty(found, app.partitions) && !(await isAdopting(app.redis))
  return { survey: found, nothing, differences: disagreements(found, app.format.money) }
}

const moveOf = ({ redis, config, format, pipeline, partitions }: App, alive: () => Promise<void>): Move => ({
  pipeline,
  ...{ redis, config, format, alive },
  from: makePartitions(undefined),
  to: partitions,
  durable: async () => {},
})

export interface Adopting {
  /** Converts even if other connected clients may write. */
  readonly force: boolean
  /** Time to wait, once other processes are blocked, for those that have just started to end. */
  readonly settleMs: number
  print(line: string): void
}

/**
 * Converts everything that the Python system has written. Each user, the invalid channel and the books of each partition
 * are converted in one idempotent step each, so an interrupted adoption can be run again.
 */
export async function adopt(app: App, { force, settleMs, print }: Adopting, signal: AbortSignal): Promise<Found> {
  const { redis } = app
  await using lock = await holdLock(redis, print, signal, 'orders adopt')
  await requireAdoptable(app)
  const alive = async (): Promise<void> => {
    signal.throwIfAborted()
    await lock.require()
    app.telemetry.emit('adoptionStep', {})
  }
  const move = moveOf(app, alive)
  const goesOn = await isAdopting(redis)
  const before = await fingerprint(app)
  const found = await survey(move, app.now())
  const seen = { survey: found, differences: disagreements(found, app.format.money) }
  const nothing = !goesOn && isEmpty(found, app.partitions)
  if (nothing || found.problemCount > 0) return { ...seen, nothing }
  if (!force) await requireNoWriters(app)
  await beginAdoption(app)
  try {
    await sleep(settleMs, undefined, { signal }) // meanwhile a process of orders that has just started ends
    if (!force) await requireNoWriters(app)
    if ((await fingerprint(app)) !== before) throw stillWritten('Redis')
  } catch (error) {
    if (!goesOn) await endAdoption(redis) // nothing is converted yet
    throw error
  }
  const what = JSON.stringify({ users: found.users.count, orders: String(found.users.orders) })
  const action = { action: 'adopt', by: operatingUser(), what }
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
  await endAdoption(app.redis) // before the books are checked: their repair refuses to run during an adoption
  const wrong = await differencesIn(app, signal)
  if (wrong.length > 0) {
    const advice = 'run orders verify --deep, then fix them with --repair or --write-off'
    throw new OrdersError(
      'ORD_BOOKS',
      `Everything is converted, but the books do not balance: ${advice}.\n${wrong.join('\n')}`,
    )
  }
  return { ...sum, users, invalid }
}

async function differencesIn(app: App, signal: AbortSignal): Promise<string[]> {
  const books = await readBooks(app)
  const audited = await deepCheck(app, signal)
  return [...books.losses, ...books.differences, ...(audited.verdict === 'right' ? [] : audited.differences)]
}
