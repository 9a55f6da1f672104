import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killOnExit } from './on-exit.ts'
import { type Exit, type OrdersRun, reading } from './run-orders.ts'
import type { Env } from './world.ts'

const cli = fileURLToPath(new URL('../../src/ops/orders.js', import.meta.url))

/** A real `orders` process. */
export interface OrdersProcess extends OrdersRun {
  readonly child: ChildProcess
  kill(signal: NodeJS.Signals): Promise<Exit>
}

interface Spawn {
  readonly cwd?: string
  readonly entry?: string
  /** Its standard input; by default there is none. */
  readonly input?: string
  /** A file descriptor, for output that goes elsewhere and cannot be read here. */
  readonly stdout?: 'pipe' | number
  readonly stderr?: 'pipe' | number
  /** True for a channel on which it can be sent messages. */
  readonly ipc?: boolean
}

/** The folder where Node keeps src compiled for the whole run (see compile-once.ts). */
const compiled = process.env['NODE_COMPILE_CACHE']
export const compileCache: Env = compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }

/** A young generation that holds all that a start allocates: collecting it takes a tenth of the processor time of a start. */
const roomy = ['--min-semi-space-size=32', '--max-semi-space-size=32']

export function spawnOrders(
  args: readonly string[],
  env: Env,
  { cwd, entry = cli, input, stdout = 'pipe', stderr = 'pipe', ipc = false }: Spawn = {},
): OrdersProcess {
  const child = spawn(process.execPath, [...roomy, entry, ...args], {
    env: { PATH: process.env['PATH'], ...compileCache, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', stdout, stderr, ...(ipc ? (['ipc'] as const) : [])],
    ...(cwd && { cwd }),
  })
  killOnExit(child)
  child.stdin?.end(input)
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    output.stderr += chunk
  })
  let isClosed = false // only then all that it wrote has been read
  const ended = once(child, 'close').then(([code, signal]): Exit => {
    isClosed = true
    return { code, signal }
  })
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  const kill: OrdersProcess['kill'] = async (signal) => {
    if (!isOver()) child.kill(signal)
    return ended
  }
  return {
    ...reading(args, () => ({ ...output, isOver: isClosed })),
    child,
    exit: () => ended,
    kill,
    stop: () => kill('SIGTERM'),
    [Symbol.asyncDispose]: async () => void (await kill('SIGKILL')),
  }
}
