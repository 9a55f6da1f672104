import type { PartitionScope } from '../../app.ts'
import type { CountedRecord } from '../../messages.ts'
import { blockingConnection, type RedisClient } from '../../redis/client.ts'
import { aggregate } from '../../stages/aggregate.ts'
import type { Channel } from '../../stages/placed.ts'
import { decodeEntry } from '../../stages/runner/entry.ts'
import { minId } from '../../stream-id.ts'
import { type Moment, noteMoment } from './moment.ts'

/** Takes a user's totals, in the order of the commits: the last ones of a user are what the hash holds. */
export type OnRecord = (record: CountedRecord) => void

/**
 * Reads the stream of aggregate's records (`orders:counted`) from the moment it is opened, without a consumer group, so it does not affect the stages. It yields
 * each user's new totals for everything that aggregate commits while it is open. Entries that it has not read are not
 * trimmed, unless it stalls, falls a thousand entries behind, or several feeds are open.
 */
export interface CountedFeed extends AsyncDisposable {
  /** Id of the last entry read. */
  readonly cursor: string
  /** Orders and corrections that aggregate has counted up to the cursor, if no entry was trimmed before it was read. */
  readonly applied: bigint
  /** Keeps reading until the work is done. */
  during<T>(work: Promise<T>, onRecord: OnRecord): Promise<T>
  /** Notes the moment and reads up to it. Undefined if an entry was trimmed before it was read. */
  now(onRecord: OnRecord): Promise<Moment | undefined>
}

/** Trimming rarely overtakes a feed. After three failures in a row the machine is too busy. */
export const maxAttempts = 3

type RawEntry = readonly [id: Buffer, fields: readonly Buffer[] | null]

/** Entries per read; each has up to BATCH_RECORDS records. */
const readCount = 50
/** A read that waits for entries delays the end by this much once the work is done. */
const blockMs = 20

/** Returns the channel on which aggregate passes on the users' new totals. */
export function countedChannel({ pipeline }: Pick<PartitionScope, 'pipeline'>): Channel {
  return pipeline.channel(pipeline.stage(aggregate.name)?.to ?? '')
}

export async function openCountedFeed(scope: PartitionScope, signal: AbortSignal): Promise<CountedFeed> {
  using opening = new DisposableStack()
  const reader = opening.use(blockingConnection(scope.redis, blockMs))
  const stream = scope.keys.stream(countedChannel(scope).name)
  const hold = await openHold(reader, scope.keys.trimHold)
  // On the feed's own connection, so that every entry read so far was written before.
  const note = () => noteMoment(reader, scope, stream)
  const { lastId, applied } = await note()
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
        take(scope, seen, reply?.[0]?.[1] ?? [], onRecord)
        await hold.upTo(seen.cursor)
      }
      return work
    },
    now: async (onRecord: OnRecord): Promise<Moment | undefined> => {
      const moment = await note()
      for (let read = readCount; read === readCount; ) {
        const reply = await reader.xrangeBuffer(stream, `(${seen.cursor}`, moment.lastId, 'COUNT', readCount)
        read = take(scope, seen, reply, onRecord)
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

/** A killed or stalled feed keeps holding back the trim for this long. */
const holdMs = 5_000
const renewEveryMs = 500

/** Holds the whole stream at first. From a Redis that refuses writes it still reads, but holds nothing. */
async function openHold(reader: RedisClient, key: string) {
  let heldAt = 0
  const write = async (id: string): Promise<void> => {
    heldAt = performance.now()
    await reader.set(key, id, 'PX', holdMs)
  }
  const holds = await write(minId).then(
    () => true,
    () => false,
  )
  return {
    upTo: async (id: string): Promise<void> => {
      if (holds && performance.now() - heldAt > renewEveryMs) await write(id).catch(() => {})
    },
    end: async (): Promise<void> => {
      if (holds && reader.status === 'ready') await reader.del(key).catch(() => {}) // it expires
    },
  }
}

/** Takes what commits have written. An entry that a replay put back (field g), or that another client wrote, counts nothing. */
function take(
  scope: PartitionScope,
  seen: { cursor: string; applied: bigint },
  read: readonly RawEntry[],
  onRecord: OnRecord,
): number {
  const channel = countedChannel(scope).name
  for (const [id, fields] of read) {
    const { records, orders, counted, group } = decodeEntry(scope.pipeline, String(id), fields ?? [], channel)
    seen.cursor = String(id)
    if (!counted || group !== undefined) continue
    for (const record of records ?? []) onRecord(record as CountedRecord)
    seen.applied += BigInt(orders)
  }
  return read.length
}
