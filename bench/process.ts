import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killOnExit } from '../test/support/on-exit.ts'
import { profileArgs } from './profile.ts'

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
export const orders = program('../src/ops/orders.js')
export const sqsProgram = program('./sqs.ts')
export const pythonLikeProgram = program('./python-like.ts')

export interface Process extends AsyncDisposable {
  readonly pid: number
  /** Resolves with the rest of the first line of its output that begins with this word. */
  says(word: string): Promise<string>
}

type Env = Readonly<Record<string, string>>

/** Starts a node process of the bench; `role` names its profile. SIGTERM disposes it, so that it writes a profile. */
export function start(role: string, args: readonly string[], env: Env, profile = false): Process {
  const child = spawn(process.execPath, [...profileArgs(role, profile), ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  killOnExit(child)
  let output = ''
  const listeners = new Set<() => void>()
  const hear = (chunk: unknown): void => {
    output += String(chunk)
    for (const listener of listeners) listener()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = once(child, 'exit')
  const says = (word: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = output
          .split('\n')
          .slice(0, -1)
          .find((line) => line.includes(word))
        if (line === undefined) return
        listeners.delete(look)
        resolve(line)
      }
      listeners.add(look)
      look()
      ended.then(() => reject(new Error(`bench: ${role} ended: ${output.slice(-2_000)}`)))
    })
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  }
  return { pid: child.pid ?? 0, says, [Symbol.asyncDispose]: close }
}

/** Starts `orders run` and waits until all of these roles run. */
export async function startOrders(roles: readonly string[], env: Env, profile = false): Promise<Process> {
  const quiet = { LOG_LEVEL: 'info', API_PORT: '0' }
  const started = start(`orders-${roles.join('-')}`, [orders, 'run', ...roles], { ...quiet, ...env }, profile)
  await started.says('"msg":"started"')
  return started
}
