import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import { type Pause, type Pauses, readPauses } from '../../control/pauses.ts'
import { messageOf } from '../../errors.ts'
import { runWhile } from './run-while.ts'

/** Pauses loops of this process while their component is paused in Redis. */
export interface PauseGate extends Disposable {
  /** Makes a loop run only while the component is not paused. Work in flight is finished before it pauses. */
  pausable(component: string, loop: Loop): Loop
}

/** 500 ms to read, 100 ms to check (run-while.ts) and work in flight: a pause takes effect within a second. */
const readEveryMs = 500

/**
 * Opens the one watcher of this process. While Redis is away, it keeps the state it read last.
 * @throws when the state cannot be read at the start: a component that is paused must not begin.
 */
export async function openPauseGate(app: App, signal: AbortSignal): Promise<PauseGate> {
  const components = new Map<string, Component>()
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  let pauses: Pauses = await readPauses(app.redis, app.control)
  let failing = false

  async function read(): Promise<void> {
    try {
      pauses = await readPauses(app.redis, app.control)
      failing = false
    } catch (error) {
      if (!failing && !ending.aborted) app.telemetry.emit('pausesUnreadable', { error: messageOf(error) })
      failing = true
    }
    for (const component of components.values()) component.follow(pauses[component.name])
  }

  async function watch(): Promise<void> {
    for (;;) {
      await sleep(readEveryMs, undefined, { signal: ending })
      await read()
    }
  }

  return {
    pausable: (name, loop) => {
      if (components.size === 0) watch().catch(() => {}) // it ends with the process
      const component = components.get(name) ?? openComponent(app, name)
      components.set(name, component)
      component.follow(pauses[name])
      return component.gate(loop)
    },
    [Symbol.dispose]: () => stop.abort(),
  }
}

interface Component {
  readonly name: string
  follow(pause: Pause | undefined): void
  gate(loop: Loop): Loop
}

function openComponent(app: App, name: string): Component {
  let paused = new AbortController()
  let by = ''
  let running = 0
  let isReported = false

  /** Reports the pause once, when none of the component's loops runs any more. */
  function reportPaused(): void {
    if (isReported || running > 0) return
    isReported = true
    app.telemetry.emit('paused', { component: name, by })
  }

  function pauseBy(operator: string): void {
    if (paused.signal.aborted) return
    by = operator
    paused.abort()
  }

  function resume(): void {
    if (!paused.signal.aborted) return
    paused = new AbortController()
    if (isReported) app.telemetry.emit('resumed', { component: name })
    isReported = false
  }

  const onRunning = (isRunning: boolean): void => {
    running += isRunning ? 1 : -1
  }

  return {
    name,
    follow: (pause) => (pause ? pauseBy(pause.by) : resume()),
    gate: (loop) => runWhile(app, loop, () => paused.signal, { onRunning, onWaiting: reportPaused }),
  }
}
