import { OrdersError } from '../errors.ts'
import { version } from '../version.ts'
import type { Call, Command } from './command.ts'
import { isOfAbort } from './ending.ts'

/** Every command, in the order of the help. A command is loaded when it is called, with only what it needs. */
const commands: ReadonlyMap<string, () => Promise<{ readonly command: Command }>> = new Map(
  Object.entries({
    start: () => import('./commands/operate/start.ts'),
    demo: () => import('./commands/operate/demo.ts'),
    run: () => import('./commands/operate/run.ts'),
    populate: () => import('./commands/operate/populate.ts'),
    replay: () => import('./commands/operate/replay.ts'),
    invalid: () => import('./commands/operate/invalid.ts'),
    correct: () => import('./commands/operate/correct.ts'),
    dlq: () => import('./commands/operate/dlq.ts'),
    jobs: () => import('./commands/operate/jobs.ts'),
    status: () => import('./commands/inspect/status.ts'),
    tail: () => import('./commands/inspect/tail.ts'),
    verify: () => import('./commands/inspect/verify.ts'),
    trace: () => import('./commands/inspect/trace.ts'),
    top: () => import('./commands/inspect/top.ts'),
    daily: () => import('./commands/inspect/daily.ts'),
    user: () => import('./commands/inspect/user.ts'),
    pause: () => import('./commands/operate/pause.ts'),
    resume: () => import('./commands/operate/resume.ts'),
    drain: () => import('./commands/operate/drain.ts'),
    erase: () => import('./commands/operate/erase.ts'),
    audit: () => import('./commands/inspect/audit.ts'),
    archive: () => import('./commands/operate/archive.ts'),
    repartition: () => import('./commands/operate/repartition.ts'),
    rebuild: () => import('./commands/history/rebuild.ts'),
    backfill: () => import('./commands/history/backfill.ts'),
    adopt: () => import('./commands/operate/adopt.ts'),
    doctor: () => import('./commands/inspect/doctor.ts'),
    completion: () => import('./commands/inspect/completion.ts'),
  }),
)

export const loadCommands = (): Promise<Command[]> =>
  Promise.all([...commands.values()].map(async (load) => (await load()).command))

/** Returns whether a command logs: then it reports its own end in the log, too. */
export async function isService(name = ''): Promise<boolean> {
  const load = commands.get(name)
  return (await load?.())?.command.isService === true
}

/** Connects a command with its process, or with a process that calls it as a function. */
export interface Surroundings extends Pick<Call<unknown>, 'signal' | 'print' | 'stdout' | 'fail' | 'openLog'> {
  readEnv(): NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>
}

/** Runs the command that the arguments name. @throws what the command throws; `endingOf` says how to end then */
export async function runCommand(argv: readonly string[], surroundings: Surroundings): Promise<void> {
  const [name = '--help', ...args] = argv
  const { readEnv, ...own } = surroundings
  if (name === 'help' && args.length > 0) return runCommand([...args, '--help'], surroundings)
  if (['--help', '-h', 'help'].includes(name)) return own.print(await overview(own.stdout.columns))
  if (name === '--version') return own.print(version)
  const load = commands.get(name)
  if (!load) throw await unknownCommand(name)
  const { command } = await load()
  if (args.includes('--help') || args.includes('-h')) {
    const { helpOf } = await import('./help.ts')
    return own.print(helpOf(command, own.stdout.columns))
  }
  const { parseCall } = await import('./command.ts')
  const [{ readConfig }, { flagsFromNpm }] = await Promise.all([
    import('../config/config.ts'),
    import('./terminal/npm-flags.ts'),
  ])
  const env = await readEnv()
  const call = parseCall(command, [...flagsFromNpm(command, env), ...args])
  const config = readConfig(env)
  try {
    own.signal.throwIfAborted() // it may have come while the command was loaded
    await command.run({ ...own, ...call, config, commands: loadCommands })
  } catch (error) {
    if (!command.isService || !own.signal.aborted || !isOfAbort(error)) throw error
  }
}

async function unknownCommand(name: string): Promise<OrdersError> {
  const { nearest } = await import('./nearest.ts')
  const near = nearest(name, [...commands.keys()])
  const advice = near === undefined ? 'see orders --help.' : `did you mean ${near}? See orders --help.`
  return new OrdersError('ORD_USAGE', `There is no command "${name}": ${advice}`)
}

async function overview(width: number | undefined): Promise<string[]> {
  const { overviewOf } = await import('./help.ts')
  return overviewOf(await loadCommands(), width)
}
