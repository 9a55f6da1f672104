import { setInterval as every } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { openBacklog, totalOf } from '../../reads/backlog.ts'
import type { Telemetry } from '../../telemetry.ts'

const tickMs = 1_000
const ticksPerReport = 60

/** Returns the loop that logs once a minute how many orders this process handled. While Redis is away, a report waits. */
export function loadLoop(app: App): Loop {
  // By the counters alone: a measurement needs rights that not every role has.
  const readBacklog = openBacklog(app, { from: Number.POSITIVE_INFINITY })
  const report = reportLoad(app.telemetry, async () => totalOf((await readBacklog()).stages))
  return {
    name: 'load',
    run: async (tick, signal) => {
      let ticks = 0
      for await (const _ of every(tickMs, undefined, { signal })) {
        if (++ticks % ticksPerReport === 0) await report()
        tick()
      }
    },
  }
}

/** Returns a function that reports the orders since its last call, if there were any. */
export function reportLoad(telemetry: Telemetry, readWaiting: () => Promise<number>): () => Promise<void> {
  let now = emptyLoad()
  telemetry.on('enqueued', ({ orders }) => {
    now.taken += orders
  })
  telemetry.on('committed', ({ stage, passed, duplicates }) => {
    now.passed[stage] = (now.passed[stage] ?? 0) + passed
    now.duplicates += duplicates
  })
  telemetry.on('rejected', ({ code, orders, invalidId, traceId }) => {
    now.rejected[code] = (now.rejected[code] ?? 0) + orders
    now.examples.set(code, { invalidId, ...(traceId !== undefined && { traceId }) })
  })
  return async () => {
    const { examples, ...load } = now
    if (load.taken === 0 && examples.size === 0 && load.duplicates === 0 && isZero(load.passed)) return
    now = emptyLoad()
    telemetry.emit('load', { ...load, waiting: await readWaiting().catch(() => null) })
    for (const [code, example] of examples) {
      telemetry.emit('rejections', { code, orders: load.rejected[code] ?? 0, ...example })
    }
  }
}

interface Load {
  taken: number
  passed: Record<string, number>
  duplicates: number
  rejected: Record<string, number>
  /** code → one of the rejected orders */
  examples: Map<string, { readonly invalidId: string; readonly traceId?: string }>
}

const emptyLoad = (): Load => ({ taken: 0, passed: {}, duplicates: 0, rejected: {}, examples: new Map() })

const isZero = (tally: Readonly<Record<string, number>>): boolean => Object.values(tally).every((by) => by === 0)
