import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Durable } from '../../app.ts'
import { audited } from '../../control/audit-log.ts'
import { holdLock, type Lock } from '../../control/lock.ts'
import { OrdersError } from '../../errors.ts'
import { manifestKey } from '../../keys.ts'
import { identityText } from '../../order/identity.ts'
import { partitionFor } from '../../partitions.ts'
import { sum } from '../../sums.ts'
import { archive } from '../archive/archive.ts'
import { flushArchive } from '../archive/flush.ts'
import { requireSearch } from '../archive/require-archive.ts'
import { isAccount } from './account.ts'
import { dropShadows } from './drop-shadows.ts'
import { accountOf, markErased, readErasedAt, userDigest } from './erasures.ts'
import { moveTotals, readHeld } from './move-totals.ts'
import type { Erasing, Place } from './place.ts'
import { type PlaceName, placesOf } from './places.ts'
import { type Notes, openNotes, type Receipt } from './receipt.ts'
import { requireKnown } from './require-known.ts'

export interface EraseOptions {
  readonly by: string
  /** How long to wait for entries of the stages and for jobs that run. */
  readonly timeoutMs: number
  /** Erases also a user whom nothing names. */
  readonly takesUnknown?: boolean
}

const checkEveryMs = 200

/**
 * Erases a user: everything that names them is removed or redacted, and their totals move to an anonymous account, so that all
 * sums stay. First it is written down that they are erased: from then on the stages count nothing for them. Killed at any
 * moment, it goes on when it is called again, and its receipt is of the whole. What it has written is durable then.
 * @throws OrdersError ORD_USAGE during a repartition, or for an id that no user can have; ORD_UNKNOWN_USER; ORD_CONFIG where an
 *   archive is or was kept, and this process does not know where; ORD_ARCHIVE where the archive is another one, or is damaged;
 *   ORD_NOT_DURABLE
 */
export async function erase(
  { openDurable, ...whole }: ErasingWhole,
  userId: string,
  eraser: EraseOptions,
  signal: AbortSignal,
): Promise<Receipt> {
  const { app } = whole
  requireUser(userId)
  await requireSearch(app, whole.archive === 'gone')
  await using lock = await holdLock(app.redis, () => {}, signal, 'orders erase or repartition')
  await refuseRepartition(app)
  if (!eraser.takesUnknown) await requireKnown({ ...whole, userId })
  const what = (receipt?: Receipt): string => JSON.stringify(receipt ?? { user: userDigest(userId) })
  using durable = await openDurable(app, signal)
  const action = { action: 'erase', by: eraser.by, what: what() }
  return await audited(app, action, () => eraseHolding({ ...whole, userId, lock, durable }, eraser, signal), what)
}

interface Held extends Erasing {
  readonly lock: Lock
  readonly durable: Durable
}

type ErasingWhole = Omit<Erasing, 'userId'> & {
  readonly openDurable: (app: App, signal: AbortSignal) => Promise<Durable>
}

async function eraseHolding(erasing: Held, { by, timeoutMs }: EraseOptions, signal: AbortSignal): Promise<Receipt> {
  const { app, userId, lock, durable } = erasing
  const scope = { ...app, keys: partitionFor(app.partitions, userId) }
  const head = { erasure: randomUUID(), erased_at: app.now().toISOString(), by }
  const notes = await openNotes(app, userId, head)
  const { erasure, erased_at: at } = notes.head
  await markErased(app, userDigest(userId), { erasure, at })
  await dropShadows(app, lock.require)
  const held = await readHeld(scope, userId)
  for (const month of held.months.keys()) await notes.add('months', month)
  if (held.totals) await notes.totals(held.totals)
  await lock.require()
  await moveTotals(scope, userId, held)
  const until = performance.now() + timeoutMs
  let waiting = 0
  for (const [name, place] of placesOf(erasing)) {
    await lock.require()
    if (name === 'stages' && (await findsSome(place, erasing))) await cutSegments(app, until, signal)
    if (name === 'archive' && waiting > 0) continue // a segment of these entries may still come
    waiting += await clear(erasing, { name, place, notes, until }, signal).catch(async (error: unknown) => {
      throw ofArchive(error, await stateOf(notes))
    })
  }
  const counts = await notes.counts()
  const receipt: Receipt = {
    ...{ erasure, user: userDigest(userId), erased_at: at, by: notes.head.by },
    complete: waiting === 0,
    moved: { account: accountOf(scope.keys), ...counts.moved },
    removed: counts.removed,
    ...(erasing.archive === 'gone' && { without_archive: true as const }),
    waiting,
  }
  if (receipt.complete) await notes.close(receipt)
  await durable.confirm() // a failover must not lose that the user is erased
  return receipt
}

/** Says how far an erasure has come that cannot go on. */
async function stateOf(notes: Notes): Promise<string> {
  const { moved, removed } = await notes.counts()
  const done = `The totals of ${moved.orders} orders are moved, and ${sum(Object.values(removed))} records are found`
  return `The erasure is not complete. ${done}: run it again once the archive is whole, and it goes on.`
}

/** Adds to an error of the archive what it leaves of the erasure. */
const ofArchive = (error: unknown, state: string): unknown =>
  error instanceof OrdersError && error.code === 'ORD_ARCHIVE'
    ? new OrdersError(error.code, `${error.message} ${state}`, { cause: error, details: error.details })
    : error

async function findsSome(place: Place, erasing: Erasing): Promise<boolean> {
  for await (const _ of place(erasing)) return true
  return false
}

/** Has the archive cut its open segments, whose entries stay on the stream until then. */
async function cutSegments(app: App, until: number, signal: AbortSignal): Promise<void> {
  if (!app.pipeline.stage(archive.name)) return
  const late = AbortSignal.timeout(Math.max(0, Math.round(until - performance.now())))
  await flushArchive(app, AbortSignal.any([signal, late])).catch((error: unknown) => {
    if (!late.aborted) throw error // else the search finds the entries that are left
  })
}

interface Clearing {
  readonly name: PlaceName
  readonly place: Place
  readonly notes: Notes
  readonly until: number
}

/** Clears a place, and waits for what cannot be removed yet. Returns how many records are left. */
async function clear(erasing: Erasing, { name, place, notes, until }: Clearing, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted()
    let left = 0
    for await (const { record, isPassing, remove } of place(erasing, signal)) {
      if (name !== 'stages' && !isPassing) await notes.add(name, record)
      if (!(await remove())) left++
    }
    if (left === 0 || performance.now() >= until) return left
    await sleep(checkEveryMs, undefined, { signal })
  }
}

/** Counts what an erasure would remove. */
export interface Preview {
  readonly orders: number
  readonly minor: number
  readonly months: number
  readonly records: Readonly<Record<PlaceName, number>>
  /** Set if the user was erased already: an erasure would finish that one. */
  readonly erased_at?: string
  /** Set if nothing names the user, who was not erased before: an erasure is refused. */
  readonly unknown?: true
}

/** Searches for a user, and changes nothing. */
export async function previewErasure(erasing: Erasing): Promise<Preview> {
  const { app, userId } = erasing
  requireUser(userId)
  await requireSearch(app, erasing.archive === 'gone')
  const erasedAt = await readErasedAt(app, userId)
  const { totals, months } = await readHeld({ ...app, keys: partitionFor(app.partitions, userId) }, userId)
  const records: Record<string, number> = {}
  for (const [name, place] of placesOf(erasing)) {
    records[name] = (
      await namesIn(place, erasing).catch((error: unknown) => {
        throw ofArchive(error, untouched(erasedAt))
      })
    ).size
  }
  const isUnknown = !totals && months.size === 0 && sum(Object.values(records)) === 0 && erasedAt === undefined
  return {
    orders: Number(totals?.orders ?? 0),
    minor: Number(totals?.minor ?? 0),
    months: months.size,
    records: records as Preview['records'],
    ...(erasedAt !== undefined && { erased_at: erasedAt }),
    ...(isUnknown && { unknown: true }),
  }
}

async function namesIn(place: Place, erasing: Erasing): Promise<Set<string>> {
  const found = new Set<string>()
  for await (const { record, isPassing } of place(erasing)) if (!isPassing) found.add(record)
  return found
}

const untouched = (erasedAt: string | undefined): string =>
  erasedAt === undefined
    ? 'Nothing of the user is erased yet: run it again once the archive is whole.'
    : `The erasure that began at ${erasedAt} is not complete: run it again once the archive is whole, and it goes on.`

function requireUser(userId: string): void {
  if (isAccount(userId)) {
    throw new OrdersError('ORD_USAGE', `${userId} is the account of erased users: it names no user, and stays.`)
  }
  if (identityText(userId) === undefined) {
    throw new OrdersError('ORD_USAGE', 'A user_id has 1 to 256 characters.')
  }
}

/** See ops/manifest/repartition.ts: a repartition that was killed goes on later. */
async function refuseRepartition({ redis }: App): Promise<void> {
  if ((await redis.hexists(manifestKey, 'REPARTITION')) === 0) return
  throw new OrdersError('ORD_USAGE', 'A repartition is under way: let it end first, by orders repartition.')
}
