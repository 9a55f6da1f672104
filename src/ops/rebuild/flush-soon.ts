import type { App } from '../../app.ts'
import { flushArchive } from '../../stages/archive/flush.ts'

/** A role that runs cuts the open segments within a moment. Without one, the comparison reads the rest from the stream. */
const flushMs = 5_000

/** Has the archive write what it holds, if it can do so soon. @param alive called while this waits; throws to end it */
export async function flushSoon(app: App, alive: () => Promise<void>): Promise<void> {
  const limit = AbortSignal.timeout(flushMs)
  await flushArchive(app, limit, alive).catch((error: unknown) => {
    if (!limit.aborted) throw error
  })
  await alive()
}
