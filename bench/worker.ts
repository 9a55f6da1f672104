/* Runs what is measured in its own process, kept warm over all rounds. A message starts each round. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killOnExit } from '../test/support/on-exit.ts'
import { profileArgs } from './profile.ts'

export interface Worker<Task, Result> {
  readonly pid: number
  round(task: Task): Promise<Result>
  end(): Promise<void>
}

/** @param path of the program, which calls `serve`; `role` names its profile */
export function startWorker<Task extends object, Result>(
  path: string,
  role: string,
  profile: boolean,
): Worker<Task, Result> {
  const program = fileURLToPath(new URL(path, import.meta.url))
  const child: ChildProcess = fork(program, { execArgv: ['--expose-gc', ...profileArgs(role, profile)] })
  killOnExit(child)
  const died = once(child, 'exit').then(() => {
    throw new Error(`bench: the process of ${role} ended`)
  })
  died.catch(() => {})
  return {
    pid: child.pid ?? 0,
    round: async (task) => {
      child.send(task)
      const [result] = await Promise.race([once(child, 'message'), died])
      return result as Result
    },
    end: async () => {
      child.send('end')
      await died.catch(() => {})
    },
  }
}

/** Runs in the worker: replies to each task with the result of `round`. */
export function serve<Task, Result>(round: (task: Task) => Promise<Result>): void {
  process.on('message', (task: Task | 'end') => {
    if (task === 'end') process.exit(0) // a profile is written on the way out
    round(task).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
        process.exit(1)
      },
    )
  })
}
