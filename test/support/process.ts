import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killOnExit } from './on-exit.ts'
import { until } from './until.ts'
import type { Env } from './world.ts'

const cli = fileURLToPath(new URL('../../src/ops/orders.js', import.meta.url))

/** A real `orders` process. */
export interface OrdersProcess extends AsyncDisposable {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Log lines with this event. */
  events(name: string): Record<string, unknown>[]
  /** Resolves when its roles are up; rejects when it ends before. */
  started(): Promise<void>
  /** The API's URL. */
  apiUrl(): Promise<string>
  exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

interface Spawn {
  readonly cwd?: string
  readonly entry?: string
  /** A file descriptor, for output that goes elsewhere and cannot be read here. */
  readonly stdout?: 'pipe' | number
  readonly stderr?: 'pipe' | number
}

/** Of the whole run (see global-setup.ts). */
const cacheDir = process.env['TEST_COMPILE_CACHE']
const compileCache: Env = cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: cacheDir }

export function spawnOrders(
  args: readonly string[],
  env: Env,
  { cwd, entry = cli, stdout = 'pipe', stderr = 'pipe' }: Spawn = {},
): OrdersProcess {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env['PATH'], ...compileCache, ...env },
    stdio: ['ignore', stdout, stderr],
    ...(cwd && { cwd }),
  })
  killOnExit(child)
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    output.stderr += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  const events = (name: string) => logLines(output.stderr).filter(({ msg }) => msg === name)
  const waitFor = async (name: string): Promise<Record<string, unknown>> => {
    const [event] = await until(
      `${name} of orders ${args.join(' ')}: ${output.stderr}`,
      () => {
        if (isOver()) throw new Error(`orders ${args.join(' ')} ended: ${output.stderr}`)
        return events(name)
      },
      (found) => found.length > 0,
    )
    return event ?? {}
  }
  const kill: OrdersProcess['kill'] = async (signal) => {
    if (!isOver()) child.kill(signal)
    return ended
  }
  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    events,
    started: async () => void (await waitFor('started')),
    apiUrl: async () => String((await waitFor('ready'))['url']),
    exit: () => ended,
    kill,
    [Symbol.asyncDispose]: async () => void (await kill('SIGKILL')),
  }
}

function logLines(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}
