import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Tick } from '../../app.ts'
import { messageOf, OrdersError } from '../../errors.ts'

/** Something that goes round until the signal aborts, and calls `tick` each time it has. */
export interface Loop {
  readonly name: string
  run(tick: Tick, signal: AbortSignal): Promise<void>
}

/** A loop that has not gone round for so long ends the process, for the orchestrator to see. */
const giveUpMs = 60_000
const longestBackoffMs = 5_000

/**
 * Runs loops until the signal aborts and all have ended. One that fails is logged, once until it goes round again, and
 * started again with backoff.
 * @throws OrdersError ORD_STUCK when one could not go round for a minute, ORD_MANIFEST when Redis was set up anew.
 */
export async function supervise(app: App, loops: readonly Loop[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  setMaxListeners(0, either) // every loop and connection listens
  const stuck = watch(app, loops, either)
  const ended = Promise.all(loops.map((loop) => keepUp(app, loop, either)))
  try {
    await Promise.race([ended, stuck])
    await ended
  } finally {
    stop.abort()
  }
}

async function keepUp({ telemetry, pulse }: App, { name, run }: Loop, signal: AbortSignal): Promise<void> {
  let failures = 0
  const tick = (): void => {
    pulse.set(name, performance.now())
    if (failures > 0) telemetry.emit('loopRecovered', { loop: name, failures })
    failures = 0
  }
  pulse.set(name, performance.now())
  while (!signal.aborted) {
    try {
      await run(tick, signal)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof OrdersError && error.code === 'ORD_MANIFEST') throw error // it would not pass
      if (failures === 0) telemetry.emit('loopFailed', { loop: name, error: messageOf(error) })
      failures++
      await sleep(Math.min(50 * 2 ** failures, longestBackoffMs), undefined, { signal }).catch(() => {})
    }
  }
}

const lookEveryMs = 1_000
/** A process that looks this much late was itself suspended or starved, and so were its loops. */
const suspendedMs = 5_000

/**
 * Rejects when a loop has not gone round for too long: it fails again and again, or waits for what never comes. After the
 * process itself stood still (a closed lid, a paused container) each loop has its whole minute again.
 */
async function watch({ pulse }: App, loops: readonly Loop[], signal: AbortSignal): Promise<never> {
  for (;;) {
    const from = performance.now()
    await sleep(lookEveryMs, undefined, { signal }).catch(() => new Promise(() => {}))
    const stoodStillMs = performance.now() - from - lookEveryMs
    if (stoodStillMs > suspendedMs) {
      for (const [name, at] of pulse) pulse.set(name, at + stoodStillMs)
    }
    for (const { name } of loops) {
      const silentMs = performance.now() - (pulse.get(name) ?? 0)
      if (silentMs > giveUpMs) {
        throw new OrdersError('ORD_STUCK', `The loop ${name} has not gone round for a minute: see the lines above.`)
      }
    }
  }
}
