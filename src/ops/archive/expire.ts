import type { App } from '../../app.ts'
import { type KnownLines, liveSegments, readChains } from '../../reads/archive/chains.ts'
import type { Store } from '../../stages/archive/store/store.ts'
import { idMs } from '../../stream-id.ts'
import { isGone, replaceSegment } from './replace.ts'

const dayMs = 86_400_000

/** Takes out the segments whose last order is older than so many days. Returns how many. */
export async function expireSegments(
  app: Pick<App, 'redis' | 'partitions' | 'pipeline'>,
  store: Store,
  days: number,
  nowMs: number,
): Promise<number> {
  const known: KnownLines = new Map()
  const live = liveSegments(await readChains(store, app, known))
  const old = live.filter(({ segment }) => idMs(segment.last) < nowMs - days * dayMs)
  let expired = 0
  for (const one of old) {
    const isOurs = await replaceSegment(app, store, one, { kind: 'expired' }, known).then(() => true, unlessGone)
    if (isOurs) expired += 1
  }
  return expired
}

/** Another process has taken it out. */
function unlessGone(error: unknown): false {
  if (isGone(error)) return false
  throw error
}
