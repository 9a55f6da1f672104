import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { observing } from '../layout/layout.ts'
import { archive } from './archive.ts'

/**
 * Refuses an erasure that would not search an archive that was kept.
 * @param isGone true where an operator says that it is not there any more
 * @throws OrdersError ORD_CONFIG if this process does not know where it is; ORD_USAGE if it does, and it is said to be gone
 */
export async function requireSearch(
  app: Pick<App, 'redis' | 'pipeline' | 'partitions'>,
  isGone: boolean,
): Promise<void> {
  await requireArchive(app)
  if (app.pipeline.stage(archive.name)) {
    if (isGone) throw new OrdersError('ORD_USAGE', 'ARCHIVE_URL says where the archive is, so it is searched.')
    return
  }
  for (const { counters } of isGone ? [] : app.partitions) {
    if (Number((await app.redis.hget(counters, archive.counts)) ?? 0) > 0) throw leftError()
  }
}

const leftError = (): OrdersError =>
  new OrdersError(
    'ORD_CONFIG',
    'This system has kept an archive: set ARCHIVE_URL to where it is. If it is gone, say so: --without-archive, ?archive=gone.',
  )

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
