import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Config } from '../config/config.ts'
import { messageOf, OrdersError } from '../errors.ts'
import { redactUrl } from '../redact.ts'
import { nearest } from './nearest.ts'
import type { OpenLog } from './open/log.ts'
import type { Terminal } from './terminal/interactive/progress.ts'
import type { Output } from './terminal/output.ts'

/** An option of a command, such as `--rate N`; without a hint it is a flag. */
export interface Option<T> {
  readonly hint?: string
  readonly about: string
  /** Describes valid values in the message about an invalid one. */
  readonly expected?: string
  /** The options that have an effect together with it; undefined for all. */
  readonly onlyWith?: readonly string[]
  readonly schema: z.ZodType<T>
}

/** A command of the CLI. Its parsing, its errors and its help come from this declaration. */
export interface Command<O = Record<string, unknown>> {
  readonly name: string
  /** Arguments after its name, as its help shows them. */
  readonly words?: string
  readonly about: string
  /** Command lines for its help, without `orders` itself. */
  readonly examples: readonly [string, ...string[]]
  /** The page of docs that says more. */
  readonly page: string
  /** True for a command that runs until a signal stops it: that is its orderly end, with exit code 0. */
  readonly isService?: boolean
  readonly options: { readonly [K in keyof O]: Option<O[K]> }
  run(call: Call<O>): Promise<void>
}

export interface Call<O> {
  readonly config: Config
  readonly options: O
  readonly words: readonly string[]
  readonly signal: AbortSignal
  print(output: Output): void
  /** For progress; everything else is printed. */
  readonly stdout: Terminal
  /** Makes the exit code 1, for a command that has run and found something wrong. */
  fail(): void
  /** Loads the declarations of all commands. */
  commands(): Promise<readonly Command[]>
  /** Opens the log of a command that runs roles. */
  readonly openLog: OpenLog
}

export function defineCommand<O>(command: Command<O>): Command {
  return command as unknown as Command
}

export const flag = (about: string): Option<boolean> => ({ about, schema: z.boolean().default(false) })

export function wholeNumber(about: string, fallback: number, range: Range = {}): Option<number> {
  const option = optionalNumber(`${about} (default ${fallback})`, range)
  return { ...option, schema: option.schema.transform((given) => given ?? fallback) }
}

/** Declares an option that takes a whole number, undefined if it is not given. */
export function optionalNumber(about: string, { min = 0, max = 100_000_000 }: Range): Option<number | undefined> {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max)).optional()
  return { hint: 'N', about, expected: `a whole number from ${min} to ${max}`, schema }
}

interface Range {
  readonly min?: number
  readonly max?: number
}

/** The reason for a change, kept in the audit log. */
export const reasonOption: Option<string | undefined> = {
  hint: 'TEXT',
  about: 'the reason, shown to others and kept in the audit log',
  expected: 'a text of 1 to 1000 characters',
  schema: z.string().min(1).max(1_000).optional(),
}

/** Parses a command line. @throws OrdersError ORD_USAGE for arguments or values that the command does not accept. */
export function parseCall(
  command: Command,
  args: readonly string[],
): Pick<Call<unknown>, 'words'> & { options: Record<string, unknown> } {
  const refuse = (problem: string, advice = 'see'): OrdersError =>
    new OrdersError('ORD_USAGE', `orders ${command.name}: ${problem}: ${advice} orders ${command.name} --help.`)
  const types = Object.entries(command.options).map(([name, { hint }]) => [
    name,
    { type: hint === undefined ? ('boolean' as const) : ('string' as const) },
  ])
  let given: { values: Record<string, unknown>; positionals: string[] }
  try {
    given = parseArgs({
      args: withNumbers(command, args),
      options: Object.fromEntries(types),
      allowPositionals: command.words !== undefined,
    })
  } catch (error) {
    const problem = (messageOf(error).split(/[.\n]/)[0] ?? '').trim()
    const [, typed = ''] = /^Unknown option '--([^']*)'/.exec(problem) ?? []
    const near = nearest(typed, [...Object.keys(command.options), 'help'])
    throw refuse(problem, near && `did you mean --${near}? See`)
  }
  for (const [name, { onlyWith }] of Object.entries(command.options)) {
    const other = onlyWith && Object.keys(given.values).find((one) => one !== name && !onlyWith.includes(one))
    if (other !== undefined && name in given.values) throw refuse(`--${other} has no effect together with --${name}`)
  }
  const options: Record<string, unknown> = {}
  for (const [name, { schema, expected }] of Object.entries(command.options)) {
    const parsed = schema.safeParse(given.values[name])
    if (!parsed.success) throw refuse(`--${name} is "${redactUrl(String(given.values[name]))}", expected ${expected}`)
    options[name] = parsed.data
  }
  return { options, words: given.positionals }
}

/** Joins an option and the negative number after it, which `parseArgs` would take for an option. */
function withNumbers({ options }: Command, args: readonly string[]): string[] {
  const takesValue = (arg = ''): boolean => arg.startsWith('--') && options[arg.slice(2)]?.hint !== undefined
  const joined = (at: number): boolean => takesValue(args[at]) && /^-\d/.test(args[at + 1] ?? '')
  return args.flatMap((arg, at) => {
    if (joined(at)) return [`${arg}=${args[at + 1]}`]
    return at > 0 && joined(at - 1) ? [] : [arg]
  })
}
