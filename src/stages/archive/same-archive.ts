import type { PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { archive } from './archive.ts'
import { lineName, linePrefix, manifestPrefix, sha256 } from './manifest.ts'
import type { ObjectStore } from './store/object-store.ts'
import { readObject } from './store/store.ts'
import { readTail, type Tail } from './tail.ts'

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'partitions'>
type Reading = Pick<ObjectStore, 'list' | 'get' | 'place'>

/**
 * Compares what Redis knows of the archive in a partition with what the store has: in a folder that is not mounted, or in
 * another archive, the lines are missing.
 * @throws OrdersError ORD_ARCHIVE where it is not the archive that Redis goes on with
 */
export async function requireSame(scope: Scope, store: Reading): Promise<void> {
  const tail = await readTail(scope)
  if (!tail) return requireLines(scope, store)
  if (tail.stored > 0 && !(await hasStored(store, tail))) throw lacks(store, tail)
}

/** Does the same for all partitions. */
export async function requireSameArchive(
  { redis, partitions }: Pick<PartitionScope, 'redis' | 'partitions'>,
  store: Reading,
): Promise<void> {
  for (const keys of partitions) await requireSame({ redis, partitions, keys }, store)
}

/** Asks for the object itself where Redis still has its text: in a folder of many lines a list takes long. */
async function hasStored(store: Reading, { partition, chain, stored, lines }: Tail): Promise<boolean> {
  const text = lines.get(stored)
  if (text === undefined) return await has(store, linePrefix(partition, chain, stored))
  return (await readObject(store, lineName(partition, { chain, seq: stored, head: sha256(text) }))) !== undefined
}

/** Where Redis has no chain, as after a repartition: what this system has archived before must be there. */
export async function requireLines({ redis, partitions }: Scope, store: Reading): Promise<void> {
  const counts = await Promise.all(partitions.map(({ counters }) => redis.hget(counters, archive.counts)))
  if (counts.every((count) => Number(count ?? 0) === 0) || (await has(store, manifestPrefix))) return
  throw another(store, 'is empty, and this system has archived orders')
}

/**
 * Returns whether Redis has lost lines that the store has: after the last one that it knows, or in its place. All of them must
 * be in the store.
 * @throws OrdersError ORD_ARCHIVE where the store lacks the last one
 */
export async function wentBack(store: Reading, tail: Tail): Promise<boolean> {
  const { partition, chain, seq } = tail
  const own = lineName(partition, tail)
  const [here, next] = [linePrefix(partition, chain, seq), linePrefix(partition, chain, seq + 1)]
  let [hasOwn, hasOther] = [false, false]
  for await (const { name } of store.list(commonStart(here, next))) {
    if (name === own) hasOwn = true
    else if (name.startsWith(here) || name.startsWith(next)) hasOther = true
  }
  if (!hasOwn) throw lacks(store, tail)
  return hasOther
}

/** One list has both: of two numbers in a row it has some 10 names, and rarely more. */
function commonStart(one: string, other: string): string {
  let at = 0
  while (at < one.length && one[at] === other[at]) at += 1
  return one.slice(0, at)
}

/** Returns whether the store has an object whose name begins so. */
async function has(store: Pick<ObjectStore, 'list'>, prefix: string): Promise<boolean> {
  for await (const _ of store.list(prefix)) return true
  return false
}

const lacks = (store: Reading, { chain }: Tail): OrdersError =>
  another(store, `lacks lines of the chain ${chain}, which Redis has written`)

const another = ({ place }: Reading, why: string): OrdersError =>
  new OrdersError(
    'ORD_ARCHIVE',
    `The archive at ${place} ${why}: mount it, or set ARCHIVE_URL to the archive that this system keeps.`,
  )
