import { runCommand } from '../../src/ops/cli.ts'
import { endingOf } from '../../src/ops/ending.ts'
import { textOf } from '../../src/ops/terminal/output.ts'
import { until } from './until.ts'
import type { Env } from './world.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A command of orders that runs. */
export interface OrdersRun extends AsyncDisposable {
  stdout(): string
  stderr(): string
  /** Log lines with this event. */
  events(name: string): Record<string, unknown>[]
  /** Resolves when its roles are up; rejects when it ends before. */
  started(): Promise<void>
  /** The API's URL. */
  apiUrl(): Promise<string>
  isRunning(): boolean
  exit(): Promise<Exit>
  /** Stops it in order, as Ctrl-C does. */
  stop(): Promise<Exit>
}

/** Runs a command in this process, as the command line does, without the CPU that the start of a process takes. */
export function runOrders(args: readonly string[], env: Env, onOutput: (text: string) => void = () => {}): OrdersRun {
  const stop = new AbortController()
  const { signal } = stop
  const output = { stdout: '', stderr: '' }
  const write = (to: 'stdout' | 'stderr', text: string): void => {
    output[to] += text
    onOutput(text)
  }
  let code = 0
  let isOver = false
  const fail = (): void => {
    code = 1
  }
  const ended = runCommand(args, {
    readEnv: () => ({ ...env }),
    signal,
    print: (lines) => write('stdout', textOf(lines)),
    stdout: { write: (text) => write('stdout', text) },
    fail,
    openLog: () => ({ write: (line) => write('stderr', line), dropped: () => 0, [Symbol.dispose]: () => {} }),
  })
    .catch((error: unknown) => {
      const { exitCode, lines } = endingOf(error, signal)
      code = exitCode
      write('stderr', textOf(lines))
    })
    .then((): Exit => {
      isOver = true
      return { code, signal: null }
    })
  const end = (): Promise<Exit> => {
    stop.abort('SIGTERM')
    return ended
  }
  return {
    ...reading(args, () => ({ ...output, isOver })),
    exit: () => ended,
    stop: end,
    [Symbol.asyncDispose]: async () => void (await end()),
  }
}

type Reading = Pick<OrdersRun, 'stdout' | 'stderr' | 'events' | 'started' | 'apiUrl' | 'isRunning'>

/** Returns the functions that read a command that runs. */
export function reading(
  args: readonly string[],
  now: () => { readonly stdout: string; readonly stderr: string; readonly isOver: boolean },
): Reading {
  const events = (name: string) => logLines(now().stderr, name)
  const waitFor = async (name: string): Promise<Record<string, unknown>> => {
    const [event] = await until(
      `${name} of orders ${args.join(' ')}: ${now().stderr}`,
      () => {
        const { isOver } = now() // before its lines are read: it may end after its last one
        const found = events(name)
        if (isOver && found.length === 0) throw new Error(`orders ${args.join(' ')} ended: ${now().stderr}`)
        return found
      },
      (found) => found.length > 0,
    )
    return event ?? {}
  }
  return {
    isRunning: () => !now().isOver,
    stdout: () => now().stdout,
    stderr: () => now().stderr,
    events,
    started: async () => void (await waitFor('started')),
    apiUrl: async () => String((await waitFor('ready'))['url']),
  }
}

/** Parses the log lines with this event. A long log is searched often: only these are parsed. */
function logLines(text: string, event: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    if (!line.endsWith(`"msg":${JSON.stringify(event)}}`)) return []
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}
