import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { archive } from '../../stages/archive/archive.ts'
import { storeLines } from '../../stages/archive/lines.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { readTail } from '../../stages/archive/tail.ts'
import { observing } from '../../stages/layout/layout.ts'

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
  const scopes = partitions.map((keys) => ({ redis, pipeline, keys }))
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

/** @throws OrdersError ORD_CONFIG if other processes keep an archive, and this one does not know where */
export async function requireArchive({
  redis,
  pipeline,
  partitions,
}: Pick<App, 'redis' | 'pipeline' | 'partitions'>): Promise<void> {
  if (pipeline.stage(archive.name)) return
  for (const { stages } of partitions) {
    if ((await redis.hexists(stages, observing + archive.name)) === 1)
      throw new OrdersError('ORD_CONFIG', 'This system keeps an archive: set ARCHIVE_URL as its processes have it.')
  }
}
