import type { App } from '../../app.ts'
import { type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { namedObjects } from '../../reads/archive/segments.ts'
import { segmentPrefix } from '../../stages/archive/manifest.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'

export interface Swept {
  /** Objects that a line had taken out. */
  readonly removed: number
  /** Objects that no line names: a process was killed between its upload and its commit. */
  readonly orphans: number
}

/** A segment is committed within an hour of its upload, or never (see append.ts). The clocks may differ by the rest. */
const orphanAfterMs = 86_400_000

/** Deletes objects that a line of the store has taken out, and those that no line names and that are a day old. */
export async function sweepArchive(
  app: Pick<App, 'redis' | 'partitions'>,
  store: Pick<ObjectStore, 'list' | 'get' | 'delete'>,
  nowMs: number,
  known?: KnownLines,
): Promise<Swept> {
  const found: { name: string; modifiedMs: number }[] = []
  for await (const { name, modifiedMs } of store.list(segmentPrefix)) found.push({ name, modifiedMs })
  // After the objects: what was committed meanwhile is known.
  const { removed, named, needed } = namedObjects(await readChains(store, app, known))
  const swept = { removed: 0, orphans: 0 }
  for (const { name, modifiedMs } of found) {
    const isRemoved = removed.has(name)
    if (!isRemoved && (named.has(name) || needed.has(name) || modifiedMs > nowMs - orphanAfterMs)) continue
    await store.delete(name)
    swept[isRemoved ? 'removed' : 'orphans'] += 1
  }
  return swept
}
