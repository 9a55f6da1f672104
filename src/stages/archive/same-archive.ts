import type { PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { archive } from './archive.ts'
import { lineName, linePrefix, manifestPrefix } from './manifest.ts'
import type { ObjectStore } from './store/object-store.ts'
import { readTail, type Tail } from './tail.ts'

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'partitions'>
type Listing = Pick<ObjectStore, 'list' | 'place'>

/**
 * Compares what Redis knows of the archive in a partition with what the store has: in a folder that is not mounted, or in
 * another archive, the lines are missing.
 * @throws OrdersError ORD_ARCHIVE where it is not the archive that Redis goes on with
 */
export async function requireSame(scope: Scope, store: Listing): Promise<void> {
  const tail = await readTail(scope)
  if (!tail) return requireLines(scope, store)
  if (tail.stored > 0 && !(await has(store, linePrefix(tail.partition, tail.chain, tail.stored))))
    throw lacks(store, tail)
}

/** Where Redis has no chain, as after a repartition: what this system has archived before must be there. */
export async function requireLines({ redis, partitions }: Scope, store: Listing): Promise<void> {
  const counts = await Promise.all(partitions.map(({ counters }) => redis.hget(counters, archive.counts)))
  if (counts.every((count) => Number(count ?? 0) === 0) || (await has(store, manifestPrefix))) return
  throw another(store, 'is empty, and this system has archived orders')
}

/**
 * Returns whether Redis has lost lines that the store has: after the last one that it knows, or in its place. All of them must
 * be in the store.
 * @throws OrdersError ORD_ARCHIVE where the store lacks the last one
 */
export async function wentBack(store: Listing, tail: Tail): Promise<boolean> {
  const { partition, chain, seq } = tail
  const names: string[] = []
  for await (const { name } of store.list(linePrefix(partition, chain, seq))) names.push(name)
  if (!names.includes(lineName(partition, tail))) throw lacks(store, tail)
  return names.length > 1 || (await has(store, linePrefix(partition, chain, seq + 1)))
}

/** Returns whether the store has an object whose name begins so. */
export async function has(store: Pick<ObjectStore, 'list'>, prefix: string): Promise<boolean> {
  for await (const _ of store.list(prefix)) return true
  return false
}

const lacks = (store: Listing, { chain }: Tail): OrdersError =>
  another(store, `lacks lines of the chain ${chain}, which Redis has written`)

const another = ({ place }: Listing, why: string): OrdersError =>
  new OrdersError(
    'ORD_ARCHIVE',
    `The archive at ${place} ${why}: mount it, or set ARCHIVE_URL to the archive that this system keeps.`,
  )
