import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { defineScript } from '../../redis/script.ts'
import { append, beginning, type Head, noChain } from './append.ts'
import { lineName, linePrefix, partitionName } from './manifest.ts'
import type { Store } from './store/store.ts'
import { readTail, type Tail } from './tail.ts'

const markStored = defineScript(import.meta.url, z.int())

/** Enough to read the last hour of a partition without the store. A line has 500 bytes. */
const keptLines = 100

type Scope = Pick<PartitionScope, 'redis' | 'keys' | 'pipeline'>

/**
 * Writes the lines of a partition that only Redis has into the store, one after the other, so that there is never a gap.
 * Call it after each line, and before what needs all lines in the store. A killed process leaves some: the next call has them.
 * @throws OrdersError ORD_ARCHIVE
 */
export async function storeLines(scope: Scope, store: Pick<Store, 'put'>, signal?: AbortSignal): Promise<void> {
  const tail = await readTail(scope)
  if (!tail || tail.stored === tail.seq) return
  const { chain, partition, stored, seq } = tail
  for (let at = stored + 1; at <= seq; at++) {
    const text = tail.lines.get(at)
    if (text === undefined)
      throw new OrdersError('ORD_ARCHIVE', `Line ${at} of the chain ${chain} is in neither Redis nor the archive.`)
    await store.put(lineName(partition, chain, at, text), Buffer.from(text), signal)
  }
  const { redis, keys } = scope
  await markStored(redis, [keys.archive, keys.archiveLines], [chain, seq, keptLines])
}

/**
 * Returns the head of the chain of a partition. Begins a chain where Redis has none, where the partitions have changed, and
 * where Redis has lost a line that the store has.
 * @throws OrdersError ORD_ARCHIVE
 */
export async function openChain(scope: Scope, store: Pick<Store, 'put' | 'list'>, signal?: AbortSignal): Promise<Head> {
  for (;;) {
    await storeLines(scope, store, signal)
    const tail = await readTail(scope)
    const head = tail ? { chain: tail.chain, seq: tail.seq, head: tail.head } : noChain
    const wentBack = tail !== undefined && (await hasLater(store, tail))
    if (tail && tail.partition === partitionName(scope.keys) && !wentBack) return head
    const reply = await append(scope, head, { content: beginning(scope.keys, wentBack ? head : undefined) })
    if (reply.status === 'appended') await storeLines(scope, store, signal)
  }
}

/** Returns whether the store has a line after the last one that Redis knows. */
async function hasLater(store: Pick<Store, 'list'>, { partition, chain, seq }: Tail): Promise<boolean> {
  for await (const _ of store.list(linePrefix(partition, chain, seq + 1))) return true
  return false
}
