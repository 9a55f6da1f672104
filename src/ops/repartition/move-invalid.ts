import { identityInRecord } from '../../identity.ts'
import { type Keys, movedKeys } from '../../keys.ts'
import { rejectGroupNames } from '../../messages.ts'
import { partitionFor } from '../../partitions.ts'
import { type RedisClient, valuesOf } from '../../redis/client.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import type { Move } from '../../stages/move.ts'
import { compareIds } from '../../time.ts'
import { appendInvalid, recordIn, type StreamEntry } from './copy-invalid.ts'

const script = loadScript(import.meta.url)

/*
 * A stream takes new entries at its end only, so the invalid channel cannot be moved entry by entry. It is built anew
 * beside the old one, of all partitions' entries in their order and with their ids, and put in its place at the end.
 */

/** Builds the invalid channel and the discarded orders of each new partition; what was built before is built on. */
export async function buildInvalid(move: Move): Promise<void> {
  const built = move.to.map(builtOf)
  const marked = await Promise.all(built.map(({ layoutKey }) => move.redis.exists(layoutKey)))
  if (marked.every((mark) => mark === 1)) return
  await buildStream(move, { of: (keys) => keys.invalid, add: appendInvalid, unique: true })
  // Of these two partitions may have the same id, so that it is not known up to where they were built before.
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

/** How many entries the invalid channels have, and the discarded orders; `built`: of what was built. */
export async function lengthsOf(
  redis: RedisClient,
  partitions: readonly Keys[],
  built = false,
): Promise<{ invalid: number; discarded: number }> {
  const all = built ? partitions.map(builtOf) : partitions
  const lengths = (names: readonly string[]) => Promise.all(names.map((name) => redis.xlen(name)))
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
  const invalid = await lengths(all.map((keys) => keys.invalid))
  return { invalid: sum(invalid), discarded: sum(await lengths(all.map((keys) => keys.discarded))) }
}

/** Puts what was built in the place of what there was. Only once all of it is built: its sources are replaced. */
export async function swapInvalid({ redis, to, alive }: Move): Promise<void> {
  for (const keys of to) {
    await alive()
    const built = builtOf(keys)
    const pairs = [
      [built.invalid, keys.invalid],
      [built.invalidOrders, keys.invalidOrders],
      [built.discarded, keys.discarded],
      ...rejectGroupNames.map((group) => [built.invalidGroup(group), keys.invalidGroup(group)]),
    ]
    await runScript(redis, script, [built.layoutKey, ...pairs.flat()], [])
  }
}

/** Its layout key is the mark. */
const builtOf = ({ partition = 0, layout }: Keys): Keys => movedKeys(partition, Number(layout))

interface Building {
  of(keys: Keys): string
  /** Whether ids of all partitions differ, and are kept. */
  readonly unique: boolean
  /** @param fields names and values in turn */
  add(redis: RedisClient, built: Keys, entries: readonly StreamEntry[]): Promise<void>
}

/** Entries a write, or fewer of large ones. */
const mostEntries = 100
const mostCharacters = 1_000_000

async function buildStream(move: Move, { of, add, unique }: Building): Promise<void> {
  const { redis, from, to, alive } = move
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
    const keys = partitionFor(to, ownerIn(fields))
    const lane = lanes.get(keys)
    const known = lane && compareIds(id, lane.end) <= 0
    if (!lane || (known && unique)) continue
    lane.end = known ? idAfter(lane.end) : id
    lane.entries.push([lane.end, fields])
    lane.characters += recordIn(fields).length
    if (lane.entries.length === mostEntries || lane.characters > mostCharacters) await flush(keys)
  }
  for (const keys of to) await flush(keys)
}

function idAfter(id: string): string {
  const [ms, sequence] = id.split('-')
  return `${ms}-${Number(sequence) + 1}`
}

async function lastId(redis: RedisClient, stream: string): Promise<string> {
  const [last] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1)
  return last?.[0] ?? '0-0'
}

/** A body may have 1 MB. */
const pageLength = 25

/** The entries of several streams, by their ids. */
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

/** Whose order it is, as the bridge tells of what was sent; what somebody else put there is nobody's. */
function ownerIn(fields: readonly string[]): string | undefined {
  try {
    return identityInRecord(recordIn(fields)).userId
  } catch {
    return undefined
  }
}

async function addDiscarded(redis: RedisClient, built: Keys, entries: readonly StreamEntry[]): Promise<void> {
  const add = redis.multi()
  for (const [id, fields] of entries) add.xadd(built.discarded, id, ...fields)
  valuesOf(await add.exec())
}
