import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import type { KnownLines } from '../../reads/archive/chains.ts'
import { attended } from '../../stages/archive/store/attended.ts'
import type { ObjectStore } from '../../stages/archive/store/object-store.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { timeMs } from '../../stream-id.ts'
import { expireSegments } from './expire.ts'
import { sweepArchive } from './sweep.ts'

const name = 'jobs-archive'
const tickMs = 1_000
const turnMs = 3_600_000
/** After a failure a process waits for no turn: else it could not say when the failure is over. */
const retryAfterMs = 60_000

/**
 * Returns a loop that removes old segments, and objects that do not count, once an hour. Processes take turns. Each reads a line
 * of the manifest once in its life. A store that is away is no reason to end the process.
 */
export function archiveLoop(app: App, retryMs = retryAfterMs): Loop {
  const known: KnownLines = new Map()
  const live = (): void => void app.pulse.set(name, performance.now()) // not a tick: what has failed has not recovered yet
  let retryAt: number | undefined
  return {
    name,
    run: async (tick, signal) => {
      using store = await openStore(app.config)
      const tidy = async (): Promise<void> => {
        retryAt = performance.now() + retryMs
        await tidyArchive(app, attended(store, live, signal), known)
        retryAt = undefined
      }
      try {
        for await (const _ of every(tickMs, undefined, { signal })) {
          live()
          if (retryAt === undefined ? await takeTurn(app) : performance.now() >= retryAt) await tidy()
          if (retryAt === undefined) tick()
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

const takeTurn = async ({ redis, control, instance }: App): Promise<boolean> =>
  (await redis.set(control.archiveTurn, instance, 'PX', turnMs, 'NX')) !== null

/** Takes out the segments that ARCHIVE_DAYS no longer keeps, and sweeps. A clock that is fast removes nothing too early. */
export async function tidyArchive(app: App, store: ObjectStore, known: KnownLines): Promise<void> {
  const { config, redis, telemetry } = app
  const nowMs = Math.min(timeMs(await redis.time()), app.now().getTime())
  const days = config.archiveDays
  const expired = days === undefined ? 0 : await expireSegments(app, store, { days, nowMs }, known)
  const swept = await sweepArchive(app, store, nowMs, known)
  if (expired + swept.removed + swept.orphans > 0) telemetry.emit('archiveSwept', { expired, ...swept })
}
