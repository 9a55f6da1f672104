import { z } from 'zod'
import { adoptedKeys, type Keys } from '../../keys.ts'
import { maxPartitions, partitionFor } from '../../partitions.ts'
import type { RedisClient } from '../../redis/client.ts'
import { defineScript } from '../../redis/script.ts'
import { rejectGroupNames } from '../../reject-codes.ts'
import { idMs } from '../../stream-id.ts'
import { sumBy } from '../../sums.ts'
import { copyInvalid, type StreamEntry } from '../repartition/copy-invalid.ts'
import type { Move } from '../repartition/move.ts'
import { type AdoptedEntry, readElement } from './entry.ts'
import { isOurs, pythonKeys, sharesNames } from './python.ts'
import { stillWritten } from './users.ts'

const replaceInvalid = defineScript(import.meta.url, z.literal([0, 1]))

/** A connection carries 25 of the largest bodies in some 30 ms. */
const pageLength = 25

type Adopting = Pick<Move, 'redis' | 'to' | 'format'>

/**
 * Reads the elements of `invalid_orders` that orders did not write, oldest first. One without a time has that of the one
 * before it; the oldest ones that of the first that has one.
 */
async function* readElements(adopting: Adopting, now: Date): AsyncGenerator<AdoptedEntry & { at: number }> {
  const { redis, to, format } = adopting
  let at: number | undefined
  for (let from = -pageLength; ; from -= pageLength) {
    const page = await redis.lrangeBuffer(pythonKeys.invalidOrders, from, from + pageLength - 1)
    for (const element of page.reverse()) {
      if (sharesNames(to) && isOurs(element.toString())) continue
      at ??= await firstMs(adopting, now)
      const entry = readElement(element, at, format)
      at = Math.min(entry.ms ?? at, now.getTime())
      yield { ...entry, at }
    }
    if (page.length < pageLength) return
  }
}

/** Returns the time of the oldest element that has one, among those that are checked. */
async function firstMs({ redis, format }: Adopting, now: Date): Promise<number> {
  const page = await redis.lrangeBuffer(pythonKeys.invalidOrders, -pageLength, -1)
  const times = page.reverse().flatMap((element) => readElement(element, 0, format).ms ?? [])
  return Math.min(times[0] ?? now.getTime(), now.getTime())
}

/** Counts the elements to adopt by code. */
export async function countElements(adopting: Adopting, now: Date): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for await (const { rejection } of readElements(adopting, now)) add(counts, rejection.code, 1)
  return counts
}

const add = (counts: Map<string, number>, name: string, by: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + by)
}

/** Maximum entries and characters per write. */
const maxEntries = 100
const maxCharacters = 1_000_000

/** The progress of rebuilding a partition's invalid channel. */
interface Lane {
  readonly entries: StreamEntry[]
  /** Length and newest id of the old stream before it was copied. */
  replaced: { readonly length: number; readonly newest: string }
  characters: number
  length: number
  /** Number of added entries by counter. */
  readonly counts: Map<string, number>
}

/**
 * Puts the Python system's invalid orders into the invalid channel, before the existing ones. A stream takes entries only
 * at its end, so the channel of each partition is rebuilt next to the old one. One step then replaces the old channels and
 * deletes the list: after a kill before that step, everything is done again.
 * @returns the number of adopted orders
 */
export async function adoptInvalid(move: Move, now: Date): Promise<number> {
  const { redis, to, alive } = move
  const length = await redis.llen(pythonKeys.invalidOrders)
  const lanes = new Map<Keys, Lane>(
    to.map((keys) => [
      keys,
      { entries: [], replaced: { length: 0, newest: '' }, characters: 0, length: 0, counts: new Map() },
    ]),
  )
  const nextId = idsFrom(await newestMs(redis, to, now))
  let adopted = 0
  for (const keys of to) {
    const built = adoptedKeys(keys)
    await alive()
    await redis.unlink(built.invalid, built.invalidOrders, ...rejectGroupNames.map(built.invalidGroup))
  }
  for await (const { record, rejection, userId, at } of readElements(move, now)) {
    const keys = partitionFor(to, userId)
    const lane = lanes.get(keys) as Lane
    const entry: StreamEntry = [nextId(keys, at), ['code', rejection.code, 'record', record]]
    for (const name of ['received', 'rejected', `rejected:${rejection.code}`]) add(lane.counts, name, 1)
    adopted++
    await append(move, keys, lane, entry)
  }
  if (adopted === 0) return 0
  for (const [keys, lane] of lanes) {
    lane.replaced = await endOf(redis, keys.invalid)
    for await (const entry of readStream(redis, keys.invalid)) await append(move, keys, lane, entry)
    await flush(move, keys, lane)
  }
  await alive()
  await swap(move, lanes, length)
  return adopted
}

async function append(move: Move, keys: Keys, lane: Lane, entry: StreamEntry): Promise<void> {
  lane.entries.push(entry)
  lane.length++
  lane.characters += sumBy(entry[1], (field) => field.length)
  if (lane.entries.length === maxEntries || lane.characters > maxCharacters) await flush(move, keys, lane)
}

async function flush({ redis, alive }: Move, keys: Keys, lane: Lane): Promise<void> {
  if (lane.entries.length === 0) return
  await alive()
  await copyInvalid(redis, adoptedKeys(keys), lane.entries.splice(0))
  lane.characters = 0
}

/** Returns the upper limit of new ids: those of existing orders must come after them. */
async function newestMs(redis: RedisClient, to: readonly Keys[], now: Date): Promise<number> {
  const first = await Promise.all(to.map(({ invalid }) => redis.xrange(invalid, '-', '+', 'COUNT', 1)))
  return Math.min(now.getTime(), ...first.flatMap(([entry]) => (entry ? idMs(entry[0]) - 1 : [])))
}

/** Returns increasing ids from the times of rejection. Ids of different partitions differ (see commit.lua). */
function idsFrom(newest: number): (keys: Keys, at: number) => string {
  let [ms, sequence] = [0, 0]
  return ({ partition }, at) => {
    const own = Math.min(at, newest)
    if (own > ms) [ms, sequence] = [own, 0]
    else sequence++
    return partition === undefined ? `${ms}-${sequence + 1}` : `${ms}-${(sequence + 1) * maxPartitions + partition}`
  }
}

async function* readStream(redis: RedisClient, stream: string): AsyncGenerator<StreamEntry> {
  for (let after = '-', read = pageLength; read === pageLength; ) {
    const page = await redis.xrange(stream, after, '+', 'COUNT', pageLength)
    for (const [id, fields] of page) yield [id, fields ?? []]
    read = page.length
    after = `(${page.at(-1)?.[0]}`
  }
}

/** Makes the script accept any newest entry. */
const anyNewest = '*'

async function endOf(redis: RedisClient, stream: string): Promise<Lane['replaced']> {
  const [length, [newest]] = await Promise.all([redis.xlen(stream), redis.xrevrange(stream, '+', '-', 'COUNT', 1)])
  return { length, newest: newest?.[0] ?? '' }
}

async function swap({ redis }: Move, lanes: ReadonlyMap<Keys, Lane>, length: number): Promise<void> {
  const pairs = [...lanes.keys()].flatMap((keys) => {
    const built = adoptedKeys(keys)
    return [
      [built.invalid, keys.invalid],
      [built.invalidOrders, keys.invalidOrders],
      ...rejectGroupNames.map((group) => [built.invalidGroup(group), keys.invalidGroup(group)]),
    ]
  })
  const names = [pythonKeys.invalidOrders, ...pairs.flat()]
  const numberOf = (name: string): number => names.indexOf(name) + 1
  const lengths = [...lanes].flatMap(([keys, { length, replaced }]) => [
    ...[numberOf(adoptedKeys(keys).invalid), length, anyNewest],
    ...[numberOf(keys.invalid), replaced.length, replaced.newest],
  ])
  const counts = [...lanes].flatMap(([keys, lane]) => {
    const number = names.push(keys.counters)
    return [...lane.counts].flatMap(([name, by]) => [number, name, by])
  })
  const done = await replaceInvalid(redis, names, [length, pairs.length, 2 * lanes.size, ...lengths, ...counts])
  if (done === 0) throw stillWritten(pythonKeys.invalidOrders)
}
