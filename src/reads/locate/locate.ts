import type { App, Partition } from '../../app.ts'
import { partitionFor } from '../../partitions.ts'
import { type Evidence, gather, type OrderName, waits } from '../../stages/evidence.ts'
import { admittedMinor } from '../../stages/runner/ledger.ts'
import { idMs, isoOf } from '../../time.ts'
import type { Holding } from './delivery-state.ts'
import type { Look } from './scan.ts'
import {
  type Discarded,
  findDiscarded,
  findInvalid,
  findRaw,
  findValid,
  type Rejected,
  type Sighting,
} from './sightings.ts'
import { type Steps, stepsOf } from './steps.ts'

/** An entry of a work stream that holds the order, or new totals of its user. */
export interface Waiting {
  readonly stream: string
  readonly entry: string
  readonly since: string
  readonly held_by: Holding[]
  /** On the first stream, what brought it: the message or replay, a job's ticket, and how often it had been rejected. */
  readonly message?: string
  readonly ticket?: string | undefined
  readonly attempts?: number | undefined
  /** On the last stream, how many orders of the user the entry counts. */
  readonly orders?: number
}

/** What is known of an order, and what is not. */
export interface Trace extends Steps {
  readonly user_id: string
  readonly order_id: string
  /** By Redis' clock. */
  readonly at: string
  readonly where: 'ranked' | 'applied' | 'admitted' | 'waiting' | 'invalid' | 'discarded' | 'unknown'
  /** Minor units it was admitted with; null where it was not. */
  readonly amount: number | null
  readonly waiting: Waiting[]
  /** Where totals of its user wait that may count it. */
  readonly counted: Waiting[]
  readonly invalid: Rejected[]
  readonly discarded: Discarded[]
  readonly duplicates: { readonly total: number; readonly because: string }
  readonly looked: Look[]
  /** False where orders were replayed all the while, so that this one may have been passed over. */
  readonly settled: boolean
}

/**
 * Where an order is or was. What is looked through is bounded (see look.ts), and what that leaves open is said. Nothing
 * is written.
 */
export async function traceOrder(whole: App, order: OrderName): Promise<Trace> {
  const app = { ...whole, keys: partitionFor(whole.partitions, order.userId) }
  const evidence = await gather(app, order)
  const { raw, valid, counted, invalid, discarded, now, settled } = evidence
  const steps = stepsOf(app, evidence)
  const place = placing(app, evidence)
  const waiting = [
    ...raw.found.flatMap((sighting) => {
      const { id, ticket, history } = sighting.record
      return place(sighting, { message: id, ticket, attempts: history?.attempts })
    }),
    ...valid.found.flatMap((sighting) => place(sighting)),
  ]
  return {
    user_id: order.userId,
    order_id: order.orderId,
    at: isoOf(now.atMs),
    where: whereOf(evidence, steps, waiting.length > 0),
    ...steps,
    amount: now.known ? admittedMinor(now.known.value) : null,
    waiting,
    counted: counted.found.flatMap((sighting) => place(sighting, { orders: sighting.record.orders })),
    invalid: [...invalid.found],
    discarded: [...discarded.found],
    duplicates: {
      total: now.counters['duplicates'] ?? 0,
      because: 'Duplicates are dropped and counted in total only: how often this order came again is not known.',
    },
    looked: [raw, valid, counted, invalid, discarded].map(({ look }) => look),
    settled,
  }
}

/** Where a sighting waits, in a list; none where every stage is done with it and it is only not trimmed yet. */
function placing({ keys }: Partition, { heldBy }: Evidence) {
  return (sighting: Sighting, more: Partial<Waiting> = {}): Waiting[] => {
    const stream = keys.stream[sighting.channel]
    const since = isoOf(idMs(sighting.entry.id))
    const held = heldBy(sighting)
    return waits(held) ? [{ stream, entry: sighting.entry.id, since, held_by: [...held], ...more }] : []
  }
}

/** The furthest it has come; a copy that comes after it waits or was rejected beside that. */
function whereOf(
  { invalid, discarded }: Evidence,
  { admitted, applied, ranked }: Steps,
  waiting: boolean,
): Trace['where'] {
  if (ranked.done === 'yes') return 'ranked'
  if (applied.done === 'yes') return 'applied'
  if (admitted.done === 'yes' && applied.done === 'unknown') return 'admitted'
  if (waiting) return 'waiting'
  if (invalid.found.length > 0) return 'invalid'
  return discarded.found.length > 0 ? 'discarded' : 'unknown'
}

/** Whose an order may be, as far as the streams tell. */
export interface Owners {
  readonly users: readonly string[]
  /** Rejected ones that name no user. */
  readonly nameless: readonly Rejected[]
  readonly looked: Look[]
}

/** Looks for an order of any user, one partition after the other: not in the ledger, which is asked by user and order. */
export async function findOwners(app: App, orderId: string): Promise<Owners> {
  const all: Owners[] = []
  for (const keys of app.partitions) all.push(await findOwnersIn({ ...app, keys }, orderId))
  return {
    users: [...new Set(all.flatMap(({ users }) => users))],
    nameless: all.flatMap(({ nameless }) => nameless),
    looked: all.flatMap(({ looked }) => looked),
  }
}

async function findOwnersIn(app: Partition, orderId: string): Promise<Owners> {
  const wanted = { orderId }
  const raw = await findRaw(app, wanted)
  const valid = await findValid(app, wanted)
  const invalid = await findInvalid(app, wanted)
  const discarded = await findDiscarded(app, wanted)
  // Once more for what was replayed meanwhile.
  const replayed = await findRaw(app, wanted)
  const all = [raw, valid, invalid, discarded, replayed].flatMap(
    ({ found }): readonly { userId?: string | undefined }[] => found,
  )
  const users = [...new Set(all.flatMap(({ userId }) => (userId === undefined ? [] : [userId])))]
  const nameless = invalid.found.filter(({ userId }) => userId === undefined)
  return { users, nameless, looked: [raw, valid, invalid, discarded].map(({ look }) => look) }
}
