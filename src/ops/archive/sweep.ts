import type { App } from '../../app.ts'
import { liveSegments, readChains, removedNames } from '../../reads/archive/chains.ts'
import { segmentPrefix } from '../../stages/archive/manifest.ts'
import type { Store } from '../../stages/archive/store/store.ts'

export interface Swept {
  /** Objects that a line had taken out. */
  readonly removed: number
  /** Objects that no line names: a process was killed between its upload and its commit. */
  readonly orphans: number
}

/** A segment is committed within an hour of its upload, or never (see writer.ts). The clocks may differ by the rest. */
const orphanAfterMs = 86_400_000

/**
 * Deletes objects that a line has taken out, and those that no line names and that are a day old. Objects of lines that Redis
 * has lost stay.
 */
export async function sweepArchive(
  app: Pick<App, 'redis' | 'partitions'>,
  store: Pick<Store, 'list' | 'get' | 'delete'>,
  nowMs: number,
): Promise<Swept> {
  const found: { name: string; modifiedMs: number }[] = []
  for await (const { name, modifiedMs } of store.list(segmentPrefix)) found.push({ name, modifiedMs })
  const chains = await readChains(store, app) // after the objects: what was committed meanwhile is known
  const removed = new Set(removedNames(chains))
  const abandoned = chains.flatMap((chain) =>
    chain.abandoned.flatMap((line) => ('segment' in line && line.segment) || []),
  )
  const known = new Set([...liveSegments(chains).map(({ segment }) => segment), ...abandoned].map(({ name }) => name))
  const swept = { removed: 0, orphans: 0 }
  for (const { name, modifiedMs } of found) {
    const isRemoved = removed.has(name)
    if (!isRemoved && (known.has(name) || modifiedMs > nowMs - orphanAfterMs)) continue
    await store.delete(name)
    swept[isRemoved ? 'removed' : 'orphans'] += 1
  }
  return swept
}
