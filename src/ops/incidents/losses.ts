import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { openBacklog } from '../../reads/backlog.ts'

/* Orders that were deleted unread are logged once, by one of the processes. */

const checkEveryMs = 2_000
/** Only one process checks in this time, because with many partitions a check is expensive. */
const turnMs = 10_000

/** Returns a loop that checks for missing orders. Processes with a stage or a bridge take turns. */
export function lossLoop(app: App): Loop {
  return {
    name: 'losses',
    run: async (tick, signal) => {
      for await (const _ of every(checkEveryMs, undefined, { signal })) {
        await check(app).catch(() => {}) // other loops report that Redis cannot be read or written
        tick()
      }
    },
  }
}

async function check(app: App): Promise<void> {
  const { redis, control, instance, telemetry, pipeline } = app
  if ((await redis.set(control.lossesTurn, instance, 'PX', turnMs, 'NX')) === null) return
  const reported = await redis.hgetall(control.losses)
  const { stages } = await openBacklog(app)()
  for (const { stage, unaccounted } of stages) {
    if (unaccounted === null) continue
    const orders = Math.max(0, unaccounted)
    if (String(orders) === (reported[stage] ?? '0')) continue
    await redis.hset(control.losses, stage, orders)
    if (orders > 0) telemetry.emit('ordersLost', { stage, orders, note: noteOf(stage, pipeline.first.name === stage) })
  }
}

/** Says what to do. Orders lost by a later stage are admitted already: sent again, they would be duplicates. */
function noteOf(stage: string, isFirst: boolean): string {
  const deleted = `They were deleted before ${stage} had committed them`
  const advice = isFirst
    ? 'their senders must send them again'
    : 'they are known as admitted, so see OrdersLost in docs/runbook.md'
  return `${deleted}: ${advice}. orders verify --write-off books them as lost.`
}
