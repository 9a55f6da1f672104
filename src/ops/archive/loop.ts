import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { openStore } from '../../stages/archive/store/store.ts'
import { timeMs } from '../../stream-id.ts'
import { expireSegments } from './expire.ts'
import { sweepArchive } from './sweep.ts'

const tickMs = 1_000
const turnMs = 3_600_000

/** Returns a loop that removes old segments, and objects that do not count, once an hour. Processes take turns. */
export function archiveLoop(app: App): Loop {
  return {
    name: 'jobs-archive',
    run: async (tick, signal) => {
      try {
        for await (const _ of every(tickMs, undefined, { signal })) {
          if (await takeTurn(app)) await tidyArchive(app)
          tick()
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

const takeTurn = async ({ redis, control, instance }: App): Promise<boolean> =>
  (await redis.set(control.archiveTurn, instance, 'PX', turnMs, 'NX')) !== null

/** Takes out the segments that ARCHIVE_DAYS no longer keeps, and sweeps. */
export async function tidyArchive(app: App): Promise<void> {
  const { config, redis, telemetry } = app
  using store = await openStore(config)
  const nowMs = timeMs(await redis.time())
  const days = config.archiveDays
  const expired = days === undefined ? 0 : await expireSegments(app, store, days, nowMs)
  const swept = await sweepArchive(app, store, nowMs)
  if (expired + swept.removed + swept.orphans > 0) telemetry.emit('archiveSwept', { expired, ...swept })
}
