import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Tick } from '../app.ts'
import { fullestOf } from '../redis/info.ts'

/** Where the bridge waits while Redis holds enough: SQS is the elastic buffer, Redis is not. */
export interface Gate {
  /** Resolves when another receive may be made; while Redis is away it does not. */
  pass(tick: Tick, signal: AbortSignal): Promise<void>
}

/** Closed at the mark, the gate opens when a fifth of it is free again: without a gap it would flutter. */
export const lowWater = 0.8
/** Time between two log lines of a bridge that receives nothing. */
const reportEveryMs = 60_000
/** In a quarter of a second the pollers bring some thousand orders: little next to the mark. */
const readEveryMs = 250

/** @param readWaiting orders that wait in Redis for any stage */
export function openGate(app: App, readWaiting: () => Promise<number>): Gate {
  const { config, telemetry } = app
  let closed = false
  const [orders, percent] = [config.highWaterOrders, config.highWaterMemory].map((mark) => Math.round(mark * lowWater))
  const until = `below ${orders} orders and ${percent} % of memory`
  let reportedAt = Number.NEGATIVE_INFINITY
  let readAt = Number.NEGATIVE_INFINITY
  let reading = Promise.resolve()

  async function read(): Promise<void> {
    const [waiting, memory] = await Promise.all([readWaiting(), memoryShare(app)])
    const load = { waiting, memoryPercent: Math.round(memory * 100) }
    telemetry.emit('backlogMeasured', load)
    const level = Math.max(waiting / config.highWaterOrders, (memory * 100) / config.highWaterMemory)
    const full = level >= (closed ? lowWater : 1)
    if (full && performance.now() - reportedAt > reportEveryMs) {
      reportedAt = performance.now()
      telemetry.emit('backpressureOn', { ...load, until })
    }
    if (closed && !full) {
      reportedAt = Number.NEGATIVE_INFINITY
      telemetry.emit('backpressureOff', load)
    }
    closed = full
  }

  return {
    pass: async (tick, signal) => {
      for (;;) {
        if (performance.now() - readAt >= readEveryMs) {
          readAt = performance.now()
          reading = read()
        }
        await reading
        signal.throwIfAborted()
        if (!closed) return
        tick()
        await sleep(readEveryMs, undefined, { signal })
      }
    },
  }
}

/** How much of its `maxmemory` Redis uses, from 0; 0 where it has none, or does not say. */
async function memoryShare({ redis, partitions }: App): Promise<number> {
  const { used, most } = (await fullestOf(redis, partitions)) ?? { used: 0, most: 0 }
  return most === 0 ? 0 : used / most
}
