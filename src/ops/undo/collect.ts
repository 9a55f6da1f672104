import { keptUser, type UndoWhere } from '../../control/undo/undos.ts'
import { correctionKinds, type ReversedPart } from '../../corrections.ts'
import { OrdersError } from '../../errors.ts'
import { isObject, parseStandardJson } from '../../order/json.ts'
import { type ArchivedRecord, archivedTimes } from '../../stages/archive/record.ts'
import { orderName } from '../../stages/runner/ledger.ts'
import { compareIds, idMs } from '../../stream-id.ts'
import type { ArchiveReader } from './open-archive.ts'

/** An order, and what to count so that it is taken back, or put back. */
export interface Affected {
  readonly userId: string
  readonly orderId: string
  readonly parts: readonly ReversedPart[]
}

/** An order as the archive has it. */
export interface ArchivedOrder extends Affected {
  /** The entry of its admission; to put it back, that which took it back. */
  readonly since: string
}

export interface Collected {
  readonly orders: readonly ArchivedOrder[]
  /** Corrections that the window has of other orders. */
  readonly otherCorrections: number
  /** Admissions in the window of orders that were admitted again later. */
  readonly admittedAgain: number
}

export interface Window {
  readonly fromMs: number
  /** The first ms after it. */
  readonly toMs: number
  /** As it is kept: of `user` the hash. */
  readonly where?: UndoWhere | undefined
}

/** An order takes some 500 bytes here while its undo runs. */
const maxOrders = 500_000

/** Parts that take an order back, or put it back, by what they count: one that was undone and redone is there once. */
type Parts = Map<string, ReversedPart>

interface Collecting {
  readonly userId: string
  readonly orderId: string
  /** The entry of its admission. */
  readonly since: string
  readonly parts: Parts
}

/**
 * Collects the orders that were admitted in a window, with all corrections that the archive has of them. Reads the window,
 * and then all that came after its begin: so the order of segments does not matter. Of an order that was admitted twice
 * only the last admission counts here, as the ledger knows no other. Those before it are only counted: after LEDGER_DAYS they
 * are in the totals, too, and after Redis was emptied they are not.
 * @param name of the undo, whose own records are left out
 * @throws OrdersError ORD_UNDO for more orders than fit into memory
 */
export async function collectWindow(
  archive: Pick<ArchiveReader, 'read'>,
  { fromMs, toMs, where }: Window,
  name: string,
  signal: AbortSignal,
): Promise<Collected> {
  const found = new Map<string, Collecting>()
  const matches = matcher(where)
  let [admittedAgain, otherCorrections] = [0, 0]
  for await (const record of archive.read(fromMs, toMs, signal)) {
    const ms = idMs(record.entry)
    if (record.correction !== undefined || ms < fromMs || ms >= toMs || !matches(record)) continue
    const before = found.get(nameOf(record))
    if (before) admittedAgain++
    if (before && compareIds(before.since, record.entry) > 0) continue
    const own = collecting(record)
    takeOff(own.parts, countedPart(record))
    found.set(nameOf(record), own)
    if (found.size > maxOrders) throw tooMany()
  }
  const replaced = new Set<string>() // admitted again, after the window
  for await (const record of archive.read(fromMs, undefined, signal)) {
    if (record.undo?.name === name) continue
    const own = found.get(nameOf(record))
    if (own && compareIds(record.entry, own.since) < 0) continue
    if (record.correction === undefined) {
      if (own && record.entry !== own.since) replaced.add(nameOf(record))
    } else if (own) for (const part of partsOf(record)) takeOff(own.parts, part)
    else if (!record.undo && idMs(record.entry) < toMs) otherCorrections++
  }
  for (const one of replaced) found.delete(one)
  return { orders: affectedIn(found), otherCorrections, admittedAgain: admittedAgain + replaced.size }
}

/** Collects what an undo has taken back, to put it back. */
export async function collectUndone(
  archive: Pick<ArchiveReader, 'read'>,
  sinceMs: number,
  name: string,
  signal: AbortSignal,
): Promise<Collected> {
  const found = new Map<string, Collecting>()
  for await (const record of archive.read(sinceMs, undefined, signal)) {
    if (record.correction !== 'undone' || record.undo?.name !== name) continue
    const own = collecting(record)
    for (const part of record.undo.parts) takeOff(own.parts, part)
    found.set(nameOf(record), own)
  }
  return { orders: affectedIn(found), otherCorrections: 0, admittedAgain: 0 }
}

const collecting = ({ user_id: userId, order_id: orderId, entry }: ArchivedRecord): Collecting => ({
  ...{ userId, orderId, since: entry, parts: new Map() },
})

const nameOf = ({ user_id: userId, order_id: orderId }: ArchivedRecord): string => orderName({ userId, orderId })

const affectedIn = (found: ReadonlyMap<string, Collecting>): ArchivedOrder[] =>
  [...found.values()].map(({ userId, orderId, since, parts }) => ({
    ...{ userId, orderId, since },
    parts: [...parts.values()].filter(({ records, minor }) => records !== 0 || minor !== 0),
  }))

const partsOf = (record: ArchivedRecord): readonly ReversedPart[] => record.undo?.parts ?? [countedPart(record)]

function countedPart(record: ArchivedRecord): ReversedPart {
  const { minor, correction, order_timestamp } = record
  const { sentMs, atMs } = archivedTimes(record)
  const kind = correctionKinds.find((one) => one === correction)
  return {
    ...{ records: 1, minor, sent: sentMs, at: atMs },
    ...(kind && { correction: kind }),
    ...(order_timestamp !== undefined && { order_timestamp }),
  }
}

/** Takes a part off those that count on the same day in the same way: the parts are what to count so that nothing is left. */
function takeOff(parts: Parts, part: ReversedPart): void {
  const { correction, order_timestamp, sent, at } = part
  const key = JSON.stringify([correction, order_timestamp, sent, at])
  const { records, minor } = parts.get(key) ?? { records: 0, minor: 0 }
  parts.set(key, { ...part, records: records - part.records, minor: minor - part.minor })
}

/** Returns a function that says whether an order matches all that is given. */
function matcher(where: UndoWhere = {}): (record: ArchivedRecord) => boolean {
  const { user, ...fields } = where
  const wanted = Object.entries(fields).filter(([, value]) => value !== undefined)
  return ({ user_id, body, layers }) => {
    if (user !== undefined && user !== keptUser(user_id)) return false
    if (wanted.length === 0) return true
    const sent = parseStandardJson(body ?? '')
    const order: Readonly<Record<string, unknown>> = isObject(sent) ? sent : {}
    const sources = (layers ?? []).map(({ source }) => source)
    return wanted.every(
      ([name, value]) => textIn(order, name) === value || (name === 'source' && sources.includes(value)),
    )
  }
}

function textIn(order: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = Object.hasOwn(order, name) ? order[name] : name === 'event' ? 'order.placed' : undefined
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

const tooMany = (): OrdersError =>
  new OrdersError('ORD_UNDO', `More than ${maxOrders} orders match: undo a shorter window, or add --where.`)
