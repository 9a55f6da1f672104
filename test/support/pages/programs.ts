import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadCommands } from '../../../src/ops/cli.ts'
import type { Command } from '../../../src/ops/command.ts'
import { root } from '../markdown.ts'
import { runOrders } from '../run-orders.ts'
import type { Env } from '../world.ts'

/** Holds the output of a command and its exit code. */
export interface Ended {
  readonly output: string
  readonly code: number
}

const [commands, scripts] = [await loadCommands(), scriptsOf()]

function scriptsOf(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts
}

/** A command of orders and its arguments. */
export interface Call {
  readonly command: Command
  readonly args: readonly string[]
}

/** Returns the command of orders that a line calls, by npx or by a script of npm, and its arguments. */
export function ordersCall(words: readonly string[]): Call | undefined {
  const [program = '', ...rest] = words
  const [name, ...args] = program === 'npm' ? scriptCall(rest) : program === 'npx' ? rest.slice(1) : rest
  if (program !== 'npm' && (program === 'npx' ? rest[0] : program) !== 'orders') return undefined
  const command = commands.find((one) => one.name === name)
  return command && { command, args }
}

function scriptCall(words: readonly string[]): readonly string[] {
  const [name = '', ...args] = words[0] === 'run' ? words.slice(1) : words
  const own = /^node src\/ops\/orders\.js (\w+)$/.exec(scripts[name] ?? '')?.[1]
  return own === undefined ? [] : [own, ...args.filter((arg) => arg !== '--')]
}

/** Returns whether a command runs until Ctrl-C. */
export const isEndless = ({ name }: Command, args: readonly string[]): boolean =>
  ['start', 'demo', 'run', 'tail'].includes(name) || args.includes('--watch')

export const isSystem = ({ name }: Command): boolean => name === 'start' || name === 'demo'

/** A command that runs until Ctrl-C. */
export interface Running extends AsyncDisposable {
  readonly command: Command
  readonly env: Env
  output(): string
}

/** Runs a command as the command line does, without the start of a process. */
export async function inProcess({ command, args }: Call, env: Env): Promise<Ended> {
  await using run = runOrders([command.name, ...args], env)
  const { code } = await run.exit()
  return { output: run.stdout() + run.stderr(), code: Number(code) }
}

export function inBackground({ command, args }: Call, env: Env): Running {
  let output = ''
  const run = runOrders([command.name, ...args], env, (text) => {
    output += text
  })
  return { command, env, output: () => output, [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() }
}

/** Runs a script without what curl and redis-cli say of progress and passwords. */
export function inShell(script: string, cwd: string, env: Env): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { PATH: process.env['PATH'], USER: 'ada', ...env }, encoding: 'utf8' } as const
    const quiet = script.replace(/\bcurl\b/, '$& -sS').replace(/\bredis-cli\b/, '$& --no-auth-warning')
    execFile('/bin/sh', ['-c', quiet], options, (error, stdout, stderr) =>
      resolve({ output: stdout + stderr, code: error ? Number(error.code ?? 1) : 0 }),
    )
  })
}
