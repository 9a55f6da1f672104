import { setInterval as every } from 'node:timers/promises'
import type { App, Tick } from '../../app.ts'
import { openBacklog } from '../../reads/backlog.ts'
import { pipeline } from '../../stages/pipeline.ts'

/* Orders that were deleted unread are said in the log once, whatever the number of processes. */

const lookEveryMs = 2_000
/** One process at a time looks, and so many seconds later the next: with many partitions a look has its price. */
const turnMs = 10_000

/** A loop of each process with a stage or a bridge: looks for missing orders in turn with the others. */
export function lossLoop(app: App): { name: string; run(tick: Tick, signal: AbortSignal): Promise<void> } {
  return {
    name: 'losses',
    run: async (tick, signal) => {
      for await (const _ of every(lookEveryMs, undefined, { signal })) {
        await look(app).catch(() => {}) // who cannot read or write Redis says so elsewhere
        tick()
      }
    },
  }
}

async function look(app: App): Promise<void> {
  const { redis, control, instance, telemetry } = app
  if ((await redis.set(control.lossesTurn, instance, 'PX', turnMs, 'NX')) === null) return
  const said = await redis.hgetall(control.losses)
  const { stages } = await openBacklog(app)()
  for (const { stage, unaccounted } of stages) {
    if (unaccounted === null) continue
    const orders = Math.max(0, unaccounted)
    if (String(orders) === (said[stage] ?? '0')) continue
    await redis.hset(control.losses, stage, orders)
    if (orders > 0) telemetry.emit('ordersLost', { stage, orders, note: noteOf(stage) })
  }
}

/** What a later stage lost has been admitted: sent again it would be a duplicate. */
function noteOf(stage: string): string {
  const first = pipeline.some(({ name, from }) => name === stage && from === 'raw')
  const deleted = `They were deleted before ${stage} had committed them`
  const advice = first
    ? 'their senders must send them again'
    : 'they are known as admitted, so see OrdersLost in docs/runbook.md'
  return `${deleted}: ${advice}. orders verify --write-off books them as lost.`
}
