import type { App } from '../../app.ts'
import { storeLines } from '../../stages/archive/lines.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { readTail } from '../../stages/archive/tail.ts'

/**
 * Ends the chains of partitions that are about to change. Nothing waits for the archive then. The next segment begins a chain.
 * @throws OrdersError ORD_ARCHIVE if the store does not take the lines that it lacks
 */
export async function closeChains({
  redis,
  config,
  pipeline,
  partitions,
}: Pick<App, 'redis' | 'config' | 'pipeline' | 'partitions'>): Promise<void> {
  const scopes = partitions.map((keys) => ({ redis, pipeline, partitions, keys }))
  const tails = await Promise.all(scopes.map(readTail))
  if (tails.some((tail) => tail && tail.stored < tail.seq)) {
    using store = await openStore(config)
    for (const scope of scopes) await storeLines(scope, store)
  }
  for (const { archive, archiveLines, archiveFlush } of partitions) {
    await redis.del(archive)
    await redis.del(archiveLines)
    await redis.del(archiveFlush)
  }
}
