import { setImmediate as turn } from 'node:timers/promises'
import type { OrdersError } from '../errors.ts'
import { isService, runCommand } from './cli.ts'
import { codeOfSignal, endingEvents, endingOf, errorLines, outputClosed } from './ending.ts'
import { openLog } from './open/log.ts'
import { endLine, openOutput, outputError, printError } from './terminal/output.ts'

/**
 * Runs the command that the arguments name. On an error it prints one plain line, or logs one if the command logs. The exit
 * code says how it ended: see `exitCodes` in src/errors.ts.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const stop = stopOnSignal()
  const refused = stopWithOutput(stop)
  process.stderr.on('error', () => {}) // There is nowhere left to report it.
  const readEnv = async (): Promise<NodeJS.ProcessEnv> => {
    const { processEnv } = await import('../config/config.ts')
    const env = processEnv()
    if (env['npm_lifecycle_event'] === argv[0]) stopWithShell(stop)
    return env
  }
  const fail = (): void => {
    process.exitCode = 1
  }
  try {
    await runCommand(argv, { readEnv, signal: stop.signal, print: openOutput(), stdout: process.stdout, fail, openLog })
    await turn() // An error of the last print is known after one turn.
    if (refused()) throw refused()
    if (stop.signal.aborted) process.exit() // a connection that could not be closed would keep the process alive
  } catch (thrown) {
    const full = refused()
    const { exitCode, lines } = full ? { exitCode: 1, lines: errorLines(full) } : endingOf(thrown, stop.signal)
    if (exitCode > 128) endLine()
    const logs = lines.length > 0 && !process.stderr.isTTY && (await isService(argv[0]).catch(() => false))
    if (logs) await logEnd(full ?? thrown, exitCode)
    else printError(lines)
    process.exit(exitCode)
  }
}

/** Logs the end of a process whose log goes to a program: that program may not know plain text. */
async function logEnd(error: unknown, exitCode: number): Promise<void> {
  const { openLogged } = await import('./open/logging.ts')
  using log = openLogged({ logLevel: 'info' }, openLog) // with LOG_LEVEL=silent, too
  for (const event of endingEvents(error, exitCode)) log.telemetry.emit('ended', event)
}

/**
 * Stops when standard output can no longer be written. A reader that closes it, as in `orders tail --json | head`, is no
 * error.
 * @returns a function that returns the error, once there is one
 */
function stopWithOutput(stop: AbortController): () => OrdersError | undefined {
  let refused: OrdersError | undefined
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (stop.signal.aborted) return
    if (error.code !== 'EPIPE') refused = outputError(error)
    stop.abort(outputClosed)
  })
  return () => refused
}

/** On a terminal Ctrl-C reaches us twice at once: by itself, and passed on by npm. */
const sameSignalMs = 500

/**
 * Stops on the first signal. A second one ends the process at once: entries in flight stay pending, and another process
 * claims them. A closed terminal (SIGHUP) also stops; both the shell and the kernel may send that signal.
 */
function stopOnSignal(): AbortController {
  const stop = new AbortController()
  let stoppedAt = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!stop.signal.aborted) stoppedAt = performance.now()
      else if (name !== 'SIGHUP' && performance.now() - stoppedAt > sameSignalMs) process.exit(codeOfSignal(name))
      stop.abort(name)
    })
  }
  return stop
}

const parentEveryMs = 250

/**
 * Stops when the shell in which npm runs a script has ended. npm passes a SIGTERM on to that shell alone, and the shell
 * ends without passing it on. Then this process has another parent.
 */
function stopWithShell(stop: AbortController): void {
  if (process.platform === 'win32') return // there Ctrl-C reaches every process of the console, and the parent never changes
  const shell = process.ppid
  const watch = (): void => {
    if (process.ppid !== shell) stop.abort('SIGTERM')
  }
  setInterval(watch, parentEveryMs).unref()
}
