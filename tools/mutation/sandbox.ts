import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Turn, TurnResult } from './worker.ts'

/** A copy of the repository with a warm Vitest in it: files are changed there, never in the repository. */
export interface Sandbox extends AsyncDisposable {
  readonly hitsFile: string
  write(file: string, text: string): void
  /** Returns 'timed out' where the time is over: the worker is ended then, and the next turn starts another. */
  run(
    turn: Omit<Turn, 'changed'>,
    limitMs: number,
    env?: Readonly<Record<string, string>>,
  ): Promise<TurnResult | 'timed out'>
  /** Returns whether the types of the copy are right. */
  hasRightTypes(): boolean
  endWorker(): Promise<void>
}

const worker = fileURLToPath(new URL('worker.ts', import.meta.url))

/** Copies what Git knows or would add, and links node_modules. */
export function openSandbox(root: string): Sandbox {
  const dir = copyOf(root)
  const written = new Set<string>()
  let child: ChildProcess | undefined
  const endWorker = async (): Promise<void> => {
    const ending = child
    child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    if (ending.connected) ending.disconnect()
    await Promise.race([exited, sleep(closeMs, undefined, { ref: false })])
    killGroup(ending)
  }
  return {
    hitsFile: join(dir, 'mutation-hits.ndjson'),
    write(file, text) {
      writeFileSync(join(dir, file), text)
      written.add(file)
    },
    async run(turn, limitMs, env = {}) {
      if (child && !child.connected) {
        killGroup(child) // a change ended it
        child = undefined
      }
      // A group of its own: what a test has spawned ends with it.
      child ??= fork(worker, { cwd: dir, detached: true, stdio: 'ignore', env: { ...process.env, ...env } })
      const result = await answerOf(child, { ...turn, changed: [...written] }, limitMs)
      written.clear()
      if (result === 'timed out') {
        killGroup(child)
        child = undefined
      }
      return result
    },
    hasRightTypes: () => hasRightTypes(dir),
    endWorker,
    async [Symbol.asyncDispose]() {
      await endWorker()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Redis and the workers of Vitest end by themselves within a second. */
const closeMs = 5_000

function copyOf(root: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'orders-mutation-'))
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' })
  for (const file of listed.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(dir, file)), { recursive: true })
    cpSync(join(root, file), join(dir, file))
  }
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'junction')
  return dir
}

async function answerOf(child: ChildProcess, turn: Turn, limitMs: number): Promise<TurnResult | 'timed out'> {
  const over = new AbortController()
  const answer = once(child, 'message', { signal: over.signal }).then(([result]) => result as TurnResult)
  const exit = once(child, 'exit', { signal: over.signal }).then(
    (): TurnResult => ({ passed: {}, failed: 'the test process ended', failures: [] }),
  )
  child.send(turn)
  const limit = sleep(limitMs, 'timed out' as const, { signal: over.signal })
  const all = [answer, exit, limit]
  for (const one of all) one.catch(() => {}) // those that come second
  const first = await Promise.race(all)
  over.abort()
  return first
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL') // the group has ended by itself, or the system has no groups
  }
}

function hasRightTypes(dir: string): boolean {
  try {
    const tsc = join(dir, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '--incremental', '--tsBuildInfoFile', join(dir, '.types')], {
      cwd: dir,
      stdio: 'pipe',
    })
    return true
  } catch {
    return false
  }
}
