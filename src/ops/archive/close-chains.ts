import type { App } from '../../app.ts'
import { archive } from '../../stages/archive/archive.ts'
import { openChain } from '../../stages/archive/lines.ts'
import { requireArchive } from '../../stages/archive/require-archive.ts'
import { requireSameArchive } from '../../stages/archive/same-archive.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { readTail } from '../../stages/archive/tail.ts'

/**
 * Refuses what would close the chains later, before anything stops for it.
 * @throws OrdersError ORD_CONFIG if this process does not know where the archive is; ORD_ARCHIVE if it cannot be read there
 */
export async function requireClosable(app: App): Promise<void> {
  await requireArchive(app)
  if (!app.pipeline.stage(archive.name)) return
  using store = await openStore(app.config)
  await requireSameArchive(app, store)
}

/**
 * Ends the chains of partitions that are about to change. Nothing waits for the archive then. The next segment begins a chain.
 * Once Redis has forgotten a chain, the store alone says where it ends. So each is opened as for one more line: the store gets
 * the lines that it lacks, and a chain begins that says which ones Redis has lost.
 * @throws OrdersError ORD_ARCHIVE if the store cannot be read, or does not take the lines that it lacks
 */
export async function closeChains({
  redis,
  config,
  pipeline,
  partitions,
}: Pick<App, 'redis' | 'config' | 'pipeline' | 'partitions'>): Promise<void> {
  const scopes = partitions.map((keys) => ({ redis, pipeline, partitions, keys }))
  const tails = await Promise.all(scopes.map(readTail))
  const open = scopes.filter((_, at) => tails[at])
  if (open.length > 0) {
    using store = await openStore(config)
    for (const scope of open) await openChain(scope, store)
  }
  for (const { archive, archiveLines, archiveFlush } of partitions) {
    await redis.del(archive)
    await redis.del(archiveLines)
    await redis.del(archiveFlush)
  }
}
