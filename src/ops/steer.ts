import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Tick } from '../app.ts'
import { type Pause, readSteering, type Steering } from '../control/pauses.ts'
import { messageOf } from '../errors.ts'
import type { Loop } from './process/supervise.ts'

/** Pauses loops of this process as Redis says. */
export interface Steerer extends Disposable {
  /** A loop that runs while the part does. A pause ends it as a stop does: what it has in hand is done first. */
  steer(part: string, loop: Loop): Loop
}

/** Half a second, a tenth and what is in hand: a process obeys within a second. */
const readEveryMs = 500
const lookEveryMs = 100

/** One watcher per process. While Redis is away it goes by what it knows; what was paused at the start never begins. */
export async function openSteering(app: App, signal: AbortSignal): Promise<Steerer> {
  const parts = new Map<string, Part>()
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  let steering: Steering = await readSteering(app.redis, app.control) // who cannot know it at the start does not begin
  let failing = false

  async function read(): Promise<void> {
    try {
      steering = await readSteering(app.redis, app.control)
      failing = false
    } catch (error) {
      if (!failing && !ending.aborted) app.telemetry.emit('steeringFailed', { error: messageOf(error) })
      failing = true
    }
    for (const part of parts.values()) part.follow(steering[part.name])
  }

  async function watch(): Promise<void> {
    for (;;) {
      await sleep(readEveryMs, undefined, { signal: ending })
      await read()
    }
  }

  return {
    steer: (name, loop) => {
      if (parts.size === 0) watch().catch(() => {}) // it ends with the process
      const part = parts.get(name) ?? openPart(app, name)
      parts.set(name, part)
      part.follow(steering[name])
      return { name: loop.name, run: (tick, signal) => part.run(loop, tick, signal) }
    },
    [Symbol.dispose]: () => stop.abort(),
  }
}

interface Part {
  readonly name: string
  follow(pause: Pause | undefined): void
  run(loop: Loop, tick: Tick, signal: AbortSignal): Promise<void>
}

function openPart({ telemetry, pulse }: App, name: string): Part {
  let paused = new AbortController()
  let by = ''
  let running = 0
  let told = false

  /** Once none of its loops runs any more. */
  function tellPaused(): void {
    if (told || running > 0) return
    told = true
    telemetry.emit('paused', { part: name, by })
  }

  async function runUntilPaused(loop: Loop, tick: Tick, signal: AbortSignal): Promise<void> {
    const pause = paused.signal
    running++
    try {
      await loop.run(tick, AbortSignal.any([signal, pause]))
    } catch (error) {
      if (!pause.aborted) throw error
    } finally {
      running--
    }
  }

  return {
    name,
    follow: (pause) => {
      if (pause && !paused.signal.aborted) {
        by = pause.by
        paused.abort()
      }
      if (pause || !paused.signal.aborted) return
      paused = new AbortController()
      if (told) telemetry.emit('resumed', { part: name })
      told = false
    },
    run: async (loop, tick, signal) => {
      while (!signal.aborted) {
        if (!paused.signal.aborted) {
          await runUntilPaused(loop, tick, signal)
          continue
        }
        tellPaused()
        pulse.set(loop.name, performance.now()) // not a tick: a loop that failed before has not recovered by that
        await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
      }
    },
  }
}
