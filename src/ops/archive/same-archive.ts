import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { linePrefix } from '../../stages/archive/manifest.ts'
import type { Store } from '../../stages/archive/store/store.ts'
import { readTail, type Tail } from '../../stages/archive/tail.ts'

/**
 * Compares what Redis knows of the archive with what the store has: in a folder that is not mounted, or in another archive,
 * the lines are missing.
 * @throws OrdersError ORD_ARCHIVE where it is not the archive that Redis goes on with
 */
export async function requireSame(
  { redis, partitions }: Pick<App, 'redis' | 'partitions'>,
  store: Pick<Store, 'list' | 'place'>,
): Promise<void> {
  for (const keys of partitions) {
    const tail = await readTail({ redis, keys })
    if (!tail || tail.stored === 0 || (await hasLine(store, tail))) continue
    const why = `The archive at ${store.place} lacks lines of the chain ${tail.chain}, which Redis has written`
    throw new OrdersError('ORD_ARCHIVE', `${why}: mount it, or set ARCHIVE_URL to the archive that this system keeps.`)
  }
}

/** The last line that the store has by Redis. A chain is read back from it, so that no other can be missing unseen. */
async function hasLine(store: Pick<Store, 'list'>, { partition, chain, stored }: Tail): Promise<boolean> {
  for await (const _ of store.list(linePrefix(partition, chain, stored))) return true
  return false
}
