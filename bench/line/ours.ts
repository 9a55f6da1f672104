import { randomUUID } from 'node:crypto'
import type { App } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { enqueue } from '../../src/ingest/enqueue.ts'
import type { Keys } from '../../src/keys.ts'
import { openApp } from '../../src/ops/open/open-app.ts'
import { runRoles } from '../../src/ops/process/roles.ts'
import { type Contender, chunks, countdown, inParallel, type OpenContender } from './contender.ts'

/** Runs our stages on orders as the bridge writes them, ten an entry. `level` is STAGE_IN_FLIGHT. */
export const open: OpenContender = async ({ url, orders, level }) => {
  const settings = { LOG_LEVEL: 'silent', STAGE_IN_FLIGHT: `${level}`, CALENDAR: 'off' } // three stages, as the others have
  const app = await openApp(readConfig({ ...settings, REDIS_URL: url }))
  return { fill: () => fillRaw(app, orders), ...workThrough(app, orders.length) }
}

/** Writes orders as the bridge does, ten an entry. */
export const fillRaw = (app: App, orders: readonly { readonly body: string }[]): Promise<void> =>
  inParallel(chunks(orders, 10), 16, (ten) =>
    enqueue(
      app.redis,
      app.partitions[0] as Keys,
      ten.map(({ body }) => ({ id: randomUUID(), body })),
    ),
  )

/** Runs the three stages, and more roles, until so many orders are ranked or rejected, and closes the app. */
export function workThrough(
  app: App & AsyncDisposable,
  orders: number,
  more: readonly string[] = [],
): Pick<Contender, 'work' | 'close'> {
  const stop = new AbortController()
  const ranked = countdown(orders)
  let running: Promise<void> | undefined
  return {
    work: async (begun) => {
      app.telemetry.listen((event, fields) => {
        if (event === 'started') begun()
        if (event !== 'committed') return
        const { stage, passed, rejected } = fields as { stage: string; passed: number; rejected: number }
        if (stage === 'leaderboard') ranked.tick(passed)
        else ranked.tick(rejected)
      })
      running = runRoles(app, ['validate', 'aggregate', 'leaderboard', ...more], stop.signal)
      await Promise.race([ranked.done, running])
    },
    close: async () => {
      stop.abort()
      await running
      await app[Symbol.asyncDispose]()
    },
  }
}
