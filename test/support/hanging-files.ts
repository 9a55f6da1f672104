import { spawnSync } from 'node:child_process'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import ClosingLine from './closing-line.ts'

/** Over four times what the slowest file, e2e/repartition, took on two cores: 395 s. */
const usualLimitMs = 30 * 60_000

/**
 * Ends a run in which a file neither passes nor fails. Time limits are timers: a test that blocks its process, by a loop or
 * while it waits for a program, is not ended by them. Says which file and test, and what the processes of the run are.
 */
export default class HangingFiles implements Reporter {
  private readonly limitMs: number
  private readonly began = new Map<string, { module: TestModule; atMs: number }>()
  private vitest: Vitest | undefined

  constructor({ limitMs = usualLimitMs }: { limitMs?: number } = {}) {
    this.limitMs = limitMs
  }

  onInit(vitest: Vitest): void {
    this.vitest = vitest
    setInterval(() => this.look(), this.limitMs / 10).unref()
  }

  onTestModuleQueued(module: TestModule): void {
    this.began.set(module.id, { module, atMs: performance.now() })
  }

  onTestModuleEnd(module: TestModule): void {
    this.began.delete(module.id)
  }

  private look(): void {
    const hanging = [...this.began.values()].flatMap(({ module, atMs }) =>
      performance.now() - atMs > this.limitMs ? [module] : [],
    )
    if (hanging.length === 0) return
    for (const module of hanging) {
      const [test] = module.children.allTests('pending')
      process.stderr.write(`${module.relativeModuleId} does not end${test ? `, at the test: ${test.fullName}` : ''}\n`)
    }
    new ClosingLine().onTestRunEnd(this.vitest?.state.getTestModules() ?? [], hanging)
    for (const { pid, line } of processesOfRun()) {
      process.stderr.write(`${line}\n`)
      endProcess(pid)
    }
    process.exit(1)
  }
}

interface Process {
  readonly pid: number
  /** Its ids, its state (R: it works, S: it waits), its processor time and the begin of its command. */
  readonly line: string
}

/** Returns those below this one: the workers, and what they have started. */
function processesOfRun(): Process[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid,ppid,stat,time,args'], { encoding: 'utf8' })
  const rows = (stdout ?? '').split('\n').map((line) => {
    const [pid, parent] = line.trim().split(/\s+/, 2).map(Number)
    return { pid: pid ?? 0, parent, line: line.slice(0, 200) }
  })
  const below = (parent: number): Process[] =>
    rows.flatMap((row) => (row.parent === parent ? [row, ...below(row.pid)] : []))
  return below(process.pid)
}

/** By a signal that one who is blocked cannot miss. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended, as `ps` has.
  }
}
