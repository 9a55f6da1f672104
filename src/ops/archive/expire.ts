import type { App } from '../../app.ts'
import { type KnownLines, readChains } from '../../reads/archive/chains.ts'
import { liveSegments, lostSegments } from '../../reads/archive/segments.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { idMs } from '../../stream-id.ts'
import { replaceSegment, unlessGone } from './replace.ts'

const dayMs = 86_400_000

/**
 * Takes out the segments whose last order is older than so many days, also those whose lines Redis has lost.
 * Returns how many.
 */
export async function expireSegments(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  store: ObjectStore,
  { days, nowMs }: { readonly days: number; readonly nowMs: number },
  known: KnownLines = new Map(),
): Promise<number> {
  const chains = await readChains(store, app, known)
  const old = [...liveSegments(chains), ...lostSegments(chains)].filter(
    ({ segment }) => idMs(segment.last) < nowMs - days * dayMs,
  )
  let expired = 0
  for (const one of old) {
    const isOurs = await replaceSegment(app, store, one, { kind: 'expired' }, known).then(() => true, unlessGone)
    if (isOurs) expired += 1
  }
  return expired
}
