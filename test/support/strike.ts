import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Env } from './world.ts'

/** `nth`: not the first time, but that. `after`: what the step begins is under way, and its answer has not been read. */
export type Trigger =
  | { readonly event: string; readonly stage?: string; readonly after?: boolean; readonly nth?: number }
  | { readonly call: string }

/** A signal that a process sends when it is at a step. */
export interface Strike {
  readonly trigger: Trigger
  /** The process that is hit: its id, or 0 for the one that strikes. */
  readonly pid: number
  readonly signal: NodeJS.Signals
}

const preload = fileURLToPath(new URL('./crash.ts', import.meta.url))

/** The environment of a process that strikes once, or at each step for which `armStrike` arms it. */
export function striking(strike?: Strike): Env {
  return { NODE_OPTIONS: `--import=${preload}`, ...(strike && { STRIKE: JSON.stringify(strike) }) }
}

/** Arms a striking process that was started with an IPC channel. Resolves when it is armed. */
export async function armStrike(child: ChildProcess, strike: Strike): Promise<void> {
  const armed = once(child, 'message')
  child.send(strike)
  await armed
}
