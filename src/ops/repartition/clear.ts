import { OrdersError } from '../../errors.ts'
import { type Keys, keysOfPartition } from '../../keys.ts'
import { unwrapReplies } from '../../redis/client.ts'
import type { Move } from './move.ts'

/**
 * Deletes the keys of partitions that go away. Their layout key stays, so that a process with the old partitions is refused.
 * @throws OrdersError ORD_BOOKS if another client has added entries there
 */
export async function clearOld({ redis, pipeline, from, to, alive }: Move): Promise<void> {
  const kept = new Set(to.map(({ counters }) => counters))
  for (const keys of from) {
    if (kept.has(keys.counters)) continue
    await alive()
    await requireFinished({ redis, pipeline }, keys)
    await redis.unlink(keysOfPartition(keys, pipeline).filter((name) => name !== keys.layoutKey))
  }
}

/** @throws OrdersError ORD_BOOKS if a work stream holds an entry that its stage has not committed */
export async function requireFinished(
  { redis, pipeline }: Pick<Move, 'redis' | 'pipeline'>,
  keys: Keys,
): Promise<void> {
  for (const { name, from } of pipeline.stages) {
    const stream = keys.stream(from)
    for (let after = '-', entries = 1_000; entries === 1_000; ) {
      const read = await redis.xrange(stream, after, '+', 'COUNT', 1_000)
      const known = redis.pipeline()
      for (const [id] of read) known.zscore(keys.committed(name), id)
      if (unwrapReplies(await known.exec()).includes(null)) {
        const found = `The stream ${stream} holds entries that stage ${name} has not committed`
        throw new OrdersError('ORD_BOOKS', `${found}: another client writes to it and must stop first.`)
      }
      entries = read.length
      after = `(${read.at(-1)?.[0] ?? '-'}`
    }
  }
}
