import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { observing } from '../layout/layout.ts'
import { archive } from './archive.ts'

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
