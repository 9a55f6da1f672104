import { z } from 'zod'
import { type Keys, movedKeys } from '../../keys.ts'
import type { OrderFormat } from '../../order/format.ts'
import { identityInRecord } from '../../order/identity.ts'
import { partitionFor } from '../../partitions.ts'
import { type RedisClient, unwrapReplies } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { rejectGroupNames } from '../../reject-codes.ts'
import { compareIds, minId, nextId } from '../../stream-id.ts'
import { sum } from '../../sums.ts'
import { copyInvalid, recordIn, type StreamEntry } from './copy-invalid.ts'
import type { Move } from './move.ts'

const replaceKeys = defineScript(import.meta.url, z.literal([0, 1]))

/*
 * A stream takes new entries only at its end, so the invalid channel cannot be moved entry by entry. It is rebuilt next to
 * the old one from the entries of all partitions, in order and with their ids, and replaces it at the end.
 */

/** Builds the invalid channel and the discarded orders of each new partition. Continues a build that was killed. */
export async function buildInvalid(move: Move): Promise<void> {
  const built = move.to.map(builtOf)
  const marked = await Promise.all(built.map(({ layoutKey }) => move.redis.exists(layoutKey)))
  if (marked.every((mark) => mark === 1)) return
  await buildStream(move, { of: (keys) => keys.invalid, add: copyInvalid, unique: true })
  // Two partitions may have discarded orders with the same id, so a killed build cannot be continued: it starts over.
  for (const keys of built) {
    await move.alive()
    await move.redis.unlink(keys.discarded)
  }
  await buildStream(move, { of: (keys) => keys.discarded, add: addDiscarded, unique: false })
  for (const { layoutKey, layout } of built) {
    await move.alive()
    await move.redis.set(layoutKey, layout)
  }
}

/** Counts the entries of the invalid channels and of the discarded orders. @param built counts the rebuilt ones instead */
export async function lengthsOf(
  redis: RedisClient,
  partitions: readonly Keys[],
  built = false,
): Promise<{ invalid: number; discarded: number }> {
  const all = built ? partitions.map(builtOf) : partitions
  const lengths = (names: readonly string[]) => Promise.all(names.map((name) => redis.xlen(name)))
  const invalid = await lengths(all.map((keys) => keys.invalid))
  return { invalid: sum(invalid), discarded: sum(await lengths(all.map((keys) => keys.discarded))) }
}

/** Replaces the old streams with the rebuilt ones. Call it only after all are built: it replaces their sources. */
export async function swapInvalid({ redis, to, alive }: Move): Promise<void> {
  for (const keys of to) {
    await alive()
    const built = builtOf(keys)
    const pairs = [
      [built.invalid, keys.invalid],
      [built.invalidOrders, keys.invalidOrders],
      [built.discarded, keys.discarded],
      [built.retries, keys.retries], // never built: the cursors of retries begin again
      ...rejectGroupNames.map((group) => [built.invalidGroup(group), keys.invalidGroup(group)]),
    ]
    await replaceKeys(redis, [built.layoutKey, ...pairs.flat()], [])
  }
}

/** Returns the keys of the rebuilt streams. The layout key marks a finished build. */
const builtOf = ({ partition = 0, layout }: Keys): Keys => movedKeys(partition, Number(layout))

interface Building {
  of(keys: Keys): string
  /** The ids are unique over all partitions, so they are kept. */
  readonly unique: boolean
  add(redis: RedisClient, built: Keys, entries: readonly StreamEntry[]): Promise<void>
}

/** Maximum entries and characters per write. */
const maxEntries = 100
const maxCharacters = 1_000_000

async function buildStream(move: Move, { of, add, unique }: Building): Promise<void> {
  const { redis, format, from, to, alive } = move
  const lanes = new Map<Keys, { end: string; entries: StreamEntry[]; characters: number }>()
  for (const keys of to) lanes.set(keys, { end: await lastId(redis, of(builtOf(keys))), entries: [], characters: 0 })
  const flush = async (keys: Keys): Promise<void> => {
    const lane = lanes.get(keys)
    if (!lane || lane.entries.length === 0) return
    await alive()
    await add(redis, builtOf(keys), lane.entries.splice(0))
    lane.characters = 0
  }
  for await (const [id, fields] of inOrder(redis, from.map(of))) {
    const keys = partitionFor(to, ownerIn(fields, format))
    const lane = lanes.get(keys)
    const known = lane && compareIds(id, lane.end) <= 0
    if (!lane || (known && unique)) continue
    lane.end = known ? nextId(lane.end) : id
    lane.entries.push([lane.end, fields])
    lane.characters += recordIn(fields).length
    if (lane.entries.length === maxEntries || lane.characters > maxCharacters) await flush(keys)
  }
  for (const keys of to) await flush(keys)
}

async function lastId(redis: RedisClient, stream: string): Promise<string> {
  const [last] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1)
  return last?.[0] ?? minId
}

/** Small, because a body may have 1 MB. */
const pageLength = 25

/** Merges the entries of several streams by id. */
async function* inOrder(redis: RedisClient, streams: readonly string[]): AsyncGenerator<StreamEntry> {
  const heads = streams.map((stream) => ({ stream, page: [] as StreamEntry[], after: '-', more: true }))
  for (;;) {
    for (const head of heads) {
      if (head.page.length > 0 || !head.more) continue
      const read = await redis.xrange(head.stream, head.after, '+', 'COUNT', pageLength)
      head.page = read.map(([id, fields]): StreamEntry => [id, fields ?? []])
      head.after = `(${head.page.at(-1)?.[0]}`
      head.more = read.length === pageLength
    }
    const [first] = heads
      .filter(({ page }) => page.length > 0)
      .sort((one, other) => compareIds(one.page[0]?.[0] ?? '', other.page[0]?.[0] ?? ''))
    const entry = first?.page.shift()
    if (!entry) return
    yield entry
  }
}

/** Returns the user of an entry, as the bridge reads it from a message. Undefined for an entry of another client. */
function ownerIn(fields: readonly string[], format: OrderFormat): string | undefined {
  try {
    return identityInRecord(recordIn(fields), format).userId
  } catch {
    return undefined
  }
}

async function addDiscarded(redis: RedisClient, built: Keys, entries: readonly StreamEntry[]): Promise<void> {
  const add = redis.multi()
  for (const [id, fields] of entries) add.xadd(built.discarded, id, ...fields)
  unwrapReplies(await add.exec())
}
