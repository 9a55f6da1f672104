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
export async function requireArchive(app: Pick<App, 'redis' | 'pipeline' | 'partitions'>): Promise<void> {
  if (app.pipeline.stage(archive.name) || !(await isKept(app))) return
  throw new OrdersError('ORD_CONFIG', 'This system keeps an archive: set ARCHIVE_URL as its processes have it.')
}

/**
 * Refuses an undo that no process could do. It is a job, so another process than this one may know where the archive is.
 * @throws OrdersError ORD_UNDO where the system keeps no archive
 */
export async function requireOrdersKept(app: Pick<App, 'redis' | 'pipeline' | 'partitions'>): Promise<void> {
  if (app.pipeline.stage(archive.name) || (await isKept(app))) return
  const message =
    'There is no archive, from which an undo or a redo reads the orders: set ARCHIVE_URL for all processes.'
  throw new OrdersError('ORD_UNDO', `${message} Orders that come from then on can be undone.`)
}

/** Returns whether the stage has run here and has not left. */
async function isKept({ redis, partitions }: Pick<App, 'redis' | 'partitions'>): Promise<boolean> {
  const kept = await Promise.all(partitions.map(({ stages }) => redis.hexists(stages, observing + archive.name)))
  return kept.includes(1)
}
