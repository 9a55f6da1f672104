import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { defineScript } from '../../redis/script.ts'
import { noChain } from './append.ts'
import { beginChain, newestIn } from './begin.ts'
import { type Head, lineName, partitionName, sha256 } from './manifest.ts'
import { requireLines, requireSame, wentBack } from './same-archive.ts'
import type { ObjectStore } from './store/object-store.ts'
import { leftField, readTail } from './tail.ts'

const markStored = defineScript(import.meta.url, z.int())

/** Enough to read the last hour of a partition without the store. A line has 500 bytes. */
const keptLines = 100

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'pipeline' | 'partitions'>
type Store = Pick<ObjectStore, 'put' | 'list' | 'get' | 'place'>

/**
 * Writes the lines of a partition that only Redis has into the store, one after the other, so that there is never a gap.
 * Call it after each line, and before what needs all lines in the store. A killed process leaves some: the next call has them.
 * @throws OrdersError ORD_ARCHIVE
 */
export async function storeLines(scope: Scope, store: Store, signal?: AbortSignal): Promise<void> {
  const tail = await readTail(scope)
  if (!tail || tail.stored === tail.seq) return
  await requireSame(scope, store)
  const { chain, partition, stored, seq } = tail
  for (let at = stored + 1; at <= seq; at++) {
    const text = tail.lines.get(at)
    if (text === undefined)
      throw new OrdersError('ORD_ARCHIVE', `Line ${at} of the chain ${chain} is in neither Redis nor the archive.`)
    await store.put(lineName(partition, { chain, seq: at, head: sha256(text) }), Buffer.from(text), signal)
  }
  const { redis, keys } = scope
  await markStored(redis, [keys.archive, keys.archiveLines], [chain, seq, keptLines])
}

/**
 * Returns the head of the chain of a partition. Begins a chain where Redis has none, where the partitions have changed, and
 * where Redis has lost a line that the store has. Ask at each line: another process may have appended one, and Redis lost it.
 * @throws OrdersError ORD_ARCHIVE, also where the store is not the archive that Redis goes on with
 */
export async function openChain(scope: Scope, store: Store, signal?: AbortSignal): Promise<Head> {
  const { redis, keys } = scope
  for (;;) {
    await storeLines(scope, store, signal)
    const tail = await readTail(scope)
    if (tail && tail.stored < tail.seq) continue // another process has just appended it
    if (!tail && (await redis.hexists(keys.archive, leftField)) === 0) await requireLines(scope, store)
    const head = tail ? { chain: tail.chain, seq: tail.seq, head: tail.head } : noChain
    const lost = tail !== undefined && (await wentBack(store, tail))
    if (tail && tail.partition === partitionName(keys) && !lost) return head
    await beginChain(scope, head, await newestIn(store), lost ? head : undefined)
  }
}
