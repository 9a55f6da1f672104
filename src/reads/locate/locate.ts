import type { App, PartitionScope } from '../../app.ts'
import type { Identified } from '../../order/identity.ts'
import type { Message } from '../../order/message.ts'
import { partitionFor } from '../../partitions.ts'
import { readErasedAt } from '../../stages/erasure/erasures.ts'
import { standingIn } from '../../stages/runner/ledger.ts'
import { isoOf } from '../../stream-id.ts'
import { correctionsOf, type LocatedCorrection } from './corrections.ts'
import { dating, type LocatedDay } from './day.ts'
import { admittedChannels, type Evidence, gather, type OrderName } from './evidence.ts'
import type { ScanCoverage } from './scan.ts'
import { findSent, type Sent } from './sent.ts'
import {
  type Discarded,
  type Found,
  findDiscarded,
  findInvalid,
  findOn,
  findRaw,
  type Rejected,
  type Sighting,
} from './sightings.ts'
import { type Steps, stepsOf } from './steps.ts'
import { placing, type Waiting } from './waiting.ts'

/** The location and history of an order, with what is unknown. */
export interface OrderLocation extends Steps {
  readonly user_id: string
  readonly order_id: string
  /** By Redis' clock. */
  readonly at: string
  readonly where: 'ranked' | 'applied' | 'admitted' | 'waiting' | 'invalid' | 'discarded' | 'unknown'
  /** The admitted amount in minor units; null if it was not admitted. */
  readonly amount: number | null
  /** The rest of it, after its corrections. */
  readonly net: number | null
  readonly cancelled: boolean
  /** Set while an undo has taken it back. */
  readonly undone?: true
  /** Its own time, as the producer wrote it; null where that is in no stream any more. */
  readonly order_timestamp: string | null
  /** The day on which it counts; null where that is not known any more. */
  readonly day: LocatedDay | null
  readonly corrections: LocatedCorrection[]
  readonly waiting: Waiting[]
  /** Waiting totals of its user that may count it. */
  readonly counted: Waiting[]
  readonly invalid: Rejected[]
  readonly discarded: Discarded[]
  /** Sent by operators, by the audit log. */
  readonly sent: Sent[]
  /** When its user was erased: then its numbers count for an anonymous account. */
  readonly erased_at?: string
  readonly duplicates: { readonly total: number; readonly because: string }
  readonly scanned: ScanCoverage[]
  /** False if orders were replayed during every scan, so that this one may have been missed. */
  readonly settled: boolean
}

/**
 * Finds an order. The scan of each stream is bounded (see scan.ts), and the result says what that leaves unknown. Writes
 * nothing.
 */
export async function locateOrder(whole: App, order: OrderName): Promise<OrderLocation> {
  const app = { ...whole, keys: partitionFor(whole.partitions, order.userId) }
  const evidence = await gather(app, order)
  const { raw, admitted, counted, invalid, discarded, now, settled } = evidence
  const sent = await findSent(app, order)
  const steps = stepsOf(app, evidence, sent)
  const place = placing(app, evidence)
  const dayOf = dating(app, evidence)
  // An order that is known already is a duplicate when it comes again: only its first entry counts.
  const sighted: Sighting[] = [...admitted.flatMap(({ found }) => found), ...(now.known ? [] : raw.found)]
  const standing = now.known && standingIn(now.known.value)
  const own: readonly Partial<Message>[] = [...raw.found, ...admitted.flatMap(({ found }) => found), ...invalid.found]
  const erasedAt = await readErasedAt(app, order.userId)
  const waiting = [
    ...raw.found.flatMap((sighting) => {
      const { id, jobId, history, envelope } = sighting.record
      const came = envelope && { layers: envelope.layers }
      return place(sighting, { message: id, envelope: came, jobId, attempts: history?.attempts })
    }),
    ...admitted.flatMap(({ found }) => found).flatMap((sighting) => place(sighting)),
  ]
  return {
    user_id: order.userId,
    order_id: order.orderId,
    at: isoOf(now.atMs),
    where: whereOf(evidence, steps, waiting.length > 0),
    ...steps,
    amount: standing?.minor ?? null,
    net: (standing?.undoneBy === undefined ? standing?.net : 0) ?? null,
    cancelled: standing?.isCancelled ?? false,
    ...(standing?.undoneBy !== undefined && { undone: true as const }),
    order_timestamp: own.find(({ orderTimestamp }) => orderTimestamp !== undefined)?.orderTimestamp ?? null,
    day: sighted.map(dayOf)[0] ?? null,
    corrections: correctionsOf(evidence, { place, dayOf, money: app.format.money }),
    waiting,
    counted: counted
      .flatMap(({ found }) => found)
      .flatMap((sighting) => place(sighting, { orders: sighting.record.orders })),
    invalid: [...invalid.found],
    discarded: [...discarded.found],
    sent,
    ...(erasedAt !== undefined && { erased_at: erasedAt }),
    duplicates: {
      total: now.counters['duplicates'] ?? 0,
      because: 'Duplicates are dropped and counted only in total: the number for this order is unknown.',
    },
    scanned: [raw, ...admitted, ...counted, invalid, discarded].map(({ scan }) => scan),
    settled,
  }
}

/** Returns the furthest step it has reached. A later copy may still wait or have been rejected. */
function whereOf(
  { invalid, discarded }: Evidence,
  { admitted, applied, ranked }: Steps,
  waiting: boolean,
): OrderLocation['where'] {
  if (ranked.done === 'yes') return 'ranked'
  if (applied.done === 'yes') return 'applied'
  if (admitted.done === 'yes' && applied.done === 'unknown') return 'admitted'
  if (waiting) return 'waiting'
  if (invalid.found.length > 0) return 'invalid'
  return discarded.found.length > 0 ? 'discarded' : 'unknown'
}

/** The orders of any user that an id stands for, by the streams. */
export interface Owners {
  readonly orders: readonly OwnedOrder[]
  /** Rejected orders that name no user, or no order. */
  readonly nameless: readonly (Rejected & Identified)[]
  readonly scanned: ScanCoverage[]
}

export interface OwnedOrder {
  readonly userId: string
  readonly orderId: string
}

/**
 * Searches for an order of any user, and for the orders of a message with that id, one partition after the other. Skips the
 * ledger, which needs the user.
 */
export async function findOwners(app: App, id: string): Promise<Owners> {
  const all: Owners[] = []
  for (const keys of app.partitions) all.push(await findOwnersIn({ ...app, keys }, id))
  return {
    orders: all.flatMap(({ orders }) => orders), // a user is in one partition
    nameless: all.flatMap(({ nameless }) => nameless),
    scanned: all.flatMap(({ scanned }) => scanned),
  }
}

async function findOwnersIn(scope: PartitionScope, id: string): Promise<Owners> {
  const wanted = { orderId: id, messageId: id }
  const raw = await findRaw(scope, wanted)
  const admitted: Found<Sighting>[] = []
  for (const channel of admittedChannels(scope.pipeline)) admitted.push(await findOn(scope, channel, wanted))
  const invalid = await findInvalid(scope, wanted)
  const discarded = await findDiscarded(scope, wanted)
  // Again, for orders replayed meanwhile.
  const replayed = await findRaw(scope, wanted)
  const all = [raw, ...admitted, invalid, discarded, replayed].flatMap(
    ({ found }): readonly { userId?: string | undefined; orderId?: string | undefined }[] => found,
  )
  const orders = new Map<string, OwnedOrder>()
  for (const { userId, orderId } of all) {
    if (userId !== undefined && orderId !== undefined)
      orders.set(JSON.stringify([userId, orderId]), { userId, orderId })
  }
  const nameless = invalid.found.filter(({ userId, orderId }) => userId === undefined || orderId === undefined)
  return {
    orders: [...orders.values()],
    nameless,
    scanned: [raw, ...admitted, invalid, discarded].map(({ scan }) => scan),
  }
}
