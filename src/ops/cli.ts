import { setImmediate as turn } from 'node:timers/promises'
import { failure } from '../api/failure.ts'
import { processEnv, readConfig } from '../config.ts'
import { messageOf, OrdersError } from '../errors.ts'
import { redactUrls } from '../redact.ts'
import { isForbidden } from '../redis/rights.ts'
import { version } from '../version.ts'
import { refusalOfWrites } from '../write-refusals.ts'
import { type Command, helpOf, parseCall } from './command.ts'
import { flagsFromNpm } from './terminal/npm-flags.ts'
import { openOutput, outputError, printError } from './terminal/output.ts'

/** By name, as the help lists them. One is loaded when it is called: a stage's process needs little of what others need. */
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['start', async () => (await import('./process/whole-system.ts')).startCommand],
  ['demo', async () => (await import('./commands/operate/demo.ts')).demoCommand],
  ['run', async () => (await import('./process/roles.ts')).runCommand],
  ['populate', async () => (await import('./local/send-orders.ts')).populateCommand],
  ['replay', async () => (await import('./commands/operate/replay.ts')).replayCommand],
  ['status', async () => (await import('./commands/inspect/status.ts')).statusCommand],
  ['tail', async () => (await import('./commands/inspect/tail.ts')).tailCommand],
  ['verify', async () => (await import('./terminal/verification-text.ts')).verifyCommand],
  ['trace', async () => (await import('./commands/inspect/trace.ts')).traceCommand],
  ['top', async () => (await import('./commands/inspect/top.ts')).topCommand],
  ['pause', async () => (await import('./pause.ts')).pauseCommand],
  ['resume', async () => (await import('./pause.ts')).resumeCommand],
  ['drain', async () => (await import('./drain.ts')).drainCommand],
  ['audit', async () => (await import('./commands/inspect/audit.ts')).auditCommand],
  ['repartition', async () => (await import('./repartition.ts')).repartitionCommand],
  ['adopt', async () => (await import('./adopt/adopt.ts')).adoptCommand],
  ['doctor', async () => (await import('./commands/inspect/doctor.ts')).doctorCommand],
])

export const loadCommands = (): Promise<Command[]> => Promise.all([...commands.values()].map((load) => load()))

/** Runs the command that the words name; ends the process with 1 and one plain line when it cannot. */
export async function main(argv: readonly string[]): Promise<void> {
  const stop = stopOnSignal()
  const refused = stopWithOutput(stop)
  process.stderr.on('error', () => {}) // There is nowhere left to say it.
  try {
    await run(argv, stop.signal)
    await turn() // What was printed last has failed by then, if it has.
    if (refused()) throw refused()
    if (stop.signal.aborted) process.exit(0) // a connection that could not be closed would keep it from ending
  } catch (thrown) {
    if (stop.signal.aborted && !refused()) process.exit(0)
    const error = refused() ?? thrown
    printError((error instanceof OrdersError ? error.message : unexpected(error)).split('\n'))
    process.exit(1)
  }
}

async function run([name = '--help', ...args]: readonly string[], signal: AbortSignal): Promise<void> {
  if (name === 'help' && args.length > 0) return run([...args, '--help'], signal)
  const print = openOutput()
  if (['--help', '-h', 'help'].includes(name)) return print(await overview())
  if (name === '--version') return print(version)
  const command = await commands.get(name)?.()
  if (!command) throw new OrdersError('ORD_USAGE', `There is no command "${name}": see orders --help.`)
  if (args.includes('--help') || args.includes('-h')) return print(helpOf(command))
  const env = processEnv()
  const call = parseCall(command, [...flagsFromNpm(command, env), ...args])
  signal.throwIfAborted() // it came while the command was being loaded
  await command.run({ ...call, config: readConfig(env), signal, print })
}

async function overview(): Promise<string[]> {
  const commands = await loadCommands()
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, about }) => `  ${name.padEnd(width)}  ${about.split('. ')[0]}`)
  return [
    'orders <command> [options]',
    '',
    ...lines,
    '',
    'orders <command> --help says more; README.md and .env.example list the variables.',
  ]
}

/** A fault of ours is told with where it came from. */
function unexpected(error: unknown): string {
  const refused = refusalOfWrites(error)
  if (refused) return refused
  if (isForbidden(error)) return `${messageOf(error)}.`
  if (failure(error).status === 503) return 'Redis does not answer, or a part of its cluster: see that all of it runs.'
  if (error instanceof Error && error.name === 'ReplyError') {
    return `Redis refuses a command (${messageOf(error)}): see with orders doctor whether it is fit, and that nobody else writes our keys.`
  }
  return `This is a fault of orders itself: ${error instanceof Error ? redactUrls(error.stack ?? '') : messageOf(error)}`
}

/**
 * Stops when standard output can be written no more. A reader that has gone, as in `orders tail --json | head`, has read
 * enough: that is no error.
 * @returns what says the error, once there is one
 */
function stopWithOutput(stop: AbortController): () => OrdersError | undefined {
  let refused: OrdersError | undefined
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (stop.signal.aborted) return
    if (error.code !== 'EPIPE') refused = outputError(error)
    stop.abort('output')
  })
  return () => refused
}

/** On a terminal Ctrl-C reaches us twice at once: by itself, and passed on by npm. */
const sameSignalMs = 500

/**
 * The first signal stops; a second one ends at once: what is in hand stays pending and is claimed by another. A terminal
 * that is closed (SIGHUP) stops, too. It may say so more than once: by the shell and by the kernel.
 */
function stopOnSignal(): AbortController {
  const stop = new AbortController()
  let stoppedAt = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!stop.signal.aborted) stoppedAt = performance.now()
      else if (name !== 'SIGHUP' && performance.now() - stoppedAt > sameSignalMs) process.exit(130)
      stop.abort(name)
    })
  }
  return stop
}
