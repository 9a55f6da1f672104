import type { Partition } from '../../app.ts'
import type { Keys } from '../../keys.ts'
import type { CountedRecord } from '../../messages.ts'
import { blockingConnection, type RedisClient } from '../../redis/client.ts'
import { aggregate } from '../../stages/aggregate.ts'
import { decodeEntry } from '../../stages/runner/consume.ts'

/** Orders and minor units; exact, however large. */
export interface Sum {
  readonly orders: bigint
  readonly minor: bigint
}

/** What Redis held at one moment, by one transaction. */
export interface Moment {
  /** The last entry that was ever put on `orders:counted`. */
  readonly lastId: string
  /** Orders that aggregate had counted by then. */
  readonly applied: bigint
  readonly global: Sum
}

export type OnRecord = (record: CountedRecord) => void

/**
 * Reads `orders:counted` from the moment it is opened on, as an onlooker: without a group, so that the line is not
 * touched. Whatever aggregate commits while it is open comes by, each user's new totals. What it has not read is not
 * trimmed meanwhile, unless it stands still for too long, falls a thousand entries behind, or there are several.
 */
export interface Tail extends AsyncDisposable {
  /** Up to where it has read. */
  readonly cursor: string
  /** Orders that aggregate has counted up to there, if nothing has been trimmed before it was read. */
  readonly applied: bigint
  /** Reads on for as long as the work takes. */
  during<T>(work: Promise<T>, onRecord: OnRecord): Promise<T>
  /** Notes the moment and reads up to it; undefined where something was trimmed before it was read. */
  now(onRecord: OnRecord): Promise<Moment | undefined>
}

/** Trimming that overtakes the tail all the same is rare; three times in turn, the machine is too busy. */
export const mostAttempts = 3

type RawEntry = readonly [id: Buffer, fields: readonly Buffer[] | null]

/** Entries a read; each has up to BATCH_RECORDS records. */
const readCount = 50
/** After the work has ended, a read that waits for entries takes so long to end too. */
const blockMs = 20

export async function openTail(app: Partition, signal: AbortSignal): Promise<Tail> {
  using opening = new DisposableStack()
  const reader = opening.use(blockingConnection(app.redis, blockMs))
  const stream = app.keys.stream.counted
  const hold = await openHold(reader, app.keys.held)
  const { lastId, applied } = await noteMoment(reader, app.keys)
  const seen = { cursor: lastId, applied }
  const opened = opening.move()
  return Object.assign(seen, {
    during: async <T>(work: Promise<T>, onRecord: OnRecord): Promise<T> => {
      let working = true
      const end = (): void => {
        working = false
      }
      work.then(end, end)
      while (working) {
        signal.throwIfAborted()
        const reply = await reader.xreadBuffer('COUNT', readCount, 'BLOCK', blockMs, 'STREAMS', stream, seen.cursor)
        take(seen, reply?.[0]?.[1] ?? [], onRecord)
        await hold.upTo(seen.cursor)
      }
      return work
    },
    now: async (onRecord: OnRecord): Promise<Moment | undefined> => {
      const moment = await noteMoment(reader, app.keys)
      for (let read = readCount; read === readCount; ) {
        const reply = await reader.xrangeBuffer(stream, `(${seen.cursor}`, moment.lastId, 'COUNT', readCount)
        read = take(seen, reply, onRecord)
        await hold.upTo(seen.cursor)
      }
      return moment.applied === seen.applied ? moment : undefined
    },
    [Symbol.asyncDispose]: async () => {
      await hold.end()
      opened.dispose()
    },
  })
}

/** How long the mark of a tail that was killed, or stands still, goes on holding. */
const holdMs = 5_000
const renewEveryMs = 500

/** Holds all of the stream at first. A Redis that takes no writes is read all the same, and nothing is held. */
async function openHold(reader: RedisClient, key: string) {
  let heldAt = 0
  const write = async (id: string): Promise<void> => {
    heldAt = performance.now()
    await reader.set(key, id, 'PX', holdMs)
  }
  const holds = await write('0-0').then(
    () => true,
    () => false,
  )
  return {
    upTo: async (id: string): Promise<void> => {
      if (holds && performance.now() - heldAt > renewEveryMs) await write(id).catch(() => {})
    },
    end: async (): Promise<void> => {
      if (holds && reader.status === 'ready') await reader.del(key).catch(() => {}) // it runs out
    },
  }
}

/** On the tail's own connection: what it has read was written before. */
async function noteMoment(reader: RedisClient, keys: Keys): Promise<Moment> {
  const replies = await reader
    .multi()
    .xinfo('STREAM', keys.stream.counted)
    .hget(keys.counters, aggregate.counts)
    .hmget(keys.globalStats, 'total_orders', 'total_revenue_minor')
    .exec()
  const [[, info] = [], [, counter] = [], [, global] = []] = replies ?? []
  const fields = Array.isArray(info) ? info : ['last-generated-id', '0-0'] // no stream, no entry
  const [orders, minor] = Array.isArray(global) ? global : []
  return {
    lastId: String(fields[fields.indexOf('last-generated-id') + 1]),
    applied: exact(counter) ?? 0n,
    global: { orders: exact(orders) ?? 0n, minor: exact(minor) ?? 0n },
  }
}

/** Adds what this entry's commit has counted: nothing where a replay put it back (field g), or another process wrote it. */
function take(seen: { cursor: string; applied: bigint }, read: readonly RawEntry[], onRecord: OnRecord): number {
  for (const [id, fields] of read) {
    const { records, orders, counted, group } = decodeEntry(String(id), fields ?? [], 'counted')
    for (const record of records ?? []) onRecord(record as CountedRecord)
    if (counted && group === undefined) seen.applied += BigInt(orders)
    seen.cursor = String(id)
  }
  return read.length
}

/** A field of a hash as an integer; undefined where it is none. */
export function exact(field: unknown): bigint | undefined {
  return typeof field === 'string' && /^-?\d+$/.test(field) ? BigInt(field) : undefined
}
