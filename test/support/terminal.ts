import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'
import { killOnExit } from './on-exit.ts'
import { compileCache } from './process.ts'
import { requirePart } from './requires.ts'
import { until } from './until.ts'
import type { Env } from './world.ts'

const cli = fileURLToPath(new URL('../../src/ops/orders.js', import.meta.url))

/** For tests that need a pseudo-terminal, which `script` of util-linux makes. */
export function requireTerminal(context: TestContext): void {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  requirePart(context, (stdout ?? '').includes('util-linux'), 'script of util-linux')
}

/** A command of orders on a terminal of 80 columns. */
export interface OnTerminal extends AsyncDisposable {
  readonly child: ChildProcess
  /** All that it has shown, with escape codes. */
  screen(): string
  shows(text: string): Promise<void>
  press(keys: string): void
  exitCode(): Promise<number | null>
}

/** Starts a command on a terminal of its own. Its environment is the given one only. */
export function openTerminal(args: readonly string[], env: Env): OnTerminal {
  const command = `stty cols 80 rows 24; exec ${[process.execPath, cli, ...args].map((one) => `'${one}'`).join(' ')}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm-256color', SHELL: '/bin/sh', ...compileCache, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  killOnExit(child)
  let shown = ''
  child.stdout.on('data', (chunk) => {
    shown += chunk
  })
  const ended = once(child, 'close').then(([code]): number | null => code)
  return {
    child,
    screen: () => shown,
    shows: async (text) => void (await until(`${text} on the terminal: ${shown}`, () => shown.includes(text))),
    press: (keys) => void child.stdin.write(keys),
    exitCode: () => ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL') // the terminal is closed with it, and the command gets SIGHUP
      await ended
    },
  }
}
