import { setTimeout as sleep } from 'node:timers/promises'
import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { until } from '../support/until.ts'
import type { Env } from '../support/world.ts'

/** An `orders run` process that is started again whenever it ends, as an orchestrator would. */
export interface Worker extends AsyncDisposable {
  readonly roles: readonly string[]
  /** The one that runs now. */
  readonly process: OrdersProcess
  /** All that its processes logged. */
  log(): string
  /** Ends that were no kill -9, such as an exit code 1 because Redis did not answer at a start. */
  readonly ends: readonly End[]
  kill(): Promise<void>
  /** Resolves when one has its roles up. */
  started(): Promise<void>
  apiUrl(): Promise<string>
  /** SIGTERM when it is up, and no new one. */
  stop(): Promise<End>
}

export interface End {
  readonly roles: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly lastLine: string
}

/** An orchestrator waits a moment before it starts again what ended by itself. */
const restartDelayMs = 200

export function employ(roles: readonly string[], env: Env): Worker {
  const past: OrdersProcess[] = []
  const ends: End[] = []
  let current = spawnOrders(['run', ...roles], env)
  let leaving = false
  const endOf = ({ code, signal }: Pick<End, 'code' | 'signal'>): End => ({
    roles: roles.join(' '),
    code,
    signal,
    lastLine: current.stderr().trim().split('\n').at(-1) ?? '',
  })
  const keepUp = async (): Promise<void> => {
    for (;;) {
      const end = endOf(await current.exit())
      if (leaving) return
      if (end.signal !== 'SIGKILL') {
        ends.push(end)
        await sleep(restartDelayMs)
        if (leaving) return
      }
      past.push(current)
      current = spawnOrders(['run', ...roles], env)
    }
  }
  const kept = keepUp()
  /** One that ends before it is there is followed by another. */
  const there = async <T>(ask: (process: OrdersProcess) => Promise<T>): Promise<T> => {
    for (;;) {
      const asked = current
      try {
        return await ask(asked)
      } catch (error) {
        if (leaving) throw error
        await until(`the next process after ${asked.stderr()}`, () => current !== asked)
      }
    }
  }
  const leave = async (signal: NodeJS.Signals): Promise<End> => {
    leaving = true
    const end = endOf(await current.kill(signal))
    await kept
    return end
  }
  return {
    roles,
    ends,
    get process() {
      return current
    },
    log: () => [...past, current].map((process) => process.stderr()).join(''),
    started: () => there((process) => process.started()),
    apiUrl: () => there((process) => process.apiUrl()),
    kill: async () => void (await current.kill('SIGKILL')),
    stop: async () => {
      await there((process) => process.started())
      return leave('SIGTERM')
    },
    [Symbol.asyncDispose]: async () => void (await leave('SIGKILL')),
  }
}
