import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../debian/run.ts'
import type { Docker } from '../opened.ts'
import type { RolePod } from './manifests.ts'
import { type Address, probing, speedUp } from './probes.ts'

/** A container that is probed, and whose process is started again when it has ended. */
export interface Kubelet {
  isReady(): boolean
  restarts(): number
  /** Says that the process must end: it is not started again, and need not be alive. */
  beginStop(): void
  /** Ends all that watches the container. */
  end(): Promise<void>
}

interface Watched {
  readonly docker: Docker
  readonly name: string
  readonly address: Address
  readonly container: RolePod['spec']['containers'][0]
  /** Aborts when the container is removed. */
  readonly signal: AbortSignal
  complain(fault: string): void
}

interface State {
  isReady: boolean
  isRunning: boolean
  isStopping: boolean
  restarts: number
}

/** The pauses of Kubernetes before a restart: none, 10 s, and twice as long each time. */
const firstBackoffMs = 10_000
const maxBackoffMs = 300_000

export function watch(watched: Omit<Watched, 'signal'>, closing: AbortSignal): Kubelet {
  const ending = new AbortController()
  const signal = AbortSignal.any([ending.signal, closing])
  const state: State = { isReady: false, isRunning: true, isStopping: false, restarts: 0 }
  const complain = (error: unknown): void => {
    if (!signal.aborted) watched.complain(`${watched.name}: ${error}`)
  }
  const running = [probe, restart].map((loop) => loop({ ...watched, signal }, state).catch(complain))
  return {
    isReady: () => state.isReady,
    restarts: () => state.restarts,
    beginStop: () => {
      state.isStopping = true
    },
    end: async () => {
      ending.abort()
      await Promise.all(running)
    },
  }
}

/** Starts the process again each time that it ends. */
async function restart({ docker, name, signal }: Watched, state: State): Promise<void> {
  for (let pauseMs = 0; ; pauseMs = Math.min(2 * pauseMs || firstBackoffMs, maxBackoffMs)) {
    await docker('wait', name)
    state.isRunning = false
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    if (signal.aborted || state.isStopping) return
    state.restarts++
    await docker('start', name)
    state.isRunning = true
  }
}

/** Probes a process from its start until it ends, and then the next one. */
async function probe(watched: Watched, state: State): Promise<void> {
  const { docker, name, address, container, signal, complain } = watched
  const { startupProbe, livenessProbe } = container
  while (!signal.aborted) {
    const known = state.restarts
    let last: readonly string[] = []
    await probing(address, startupProbe, signal, (failures) => {
      last = failures
      return failures.length > 0 && failures.length < startupProbe.failureThreshold * speedUp // the time for a start stays
    })
    if (last.length === 0) {
      const living = new AbortController()
      const readiness = probeReadiness(watched, state, AbortSignal.any([signal, living.signal]))
      await probing(address, livenessProbe, signal, (failures) => {
        last = failures
        return state.isStopping || failures.length < livenessProbe.failureThreshold
      })
      living.abort()
      await readiness
      state.isReady = false
    }
    if (signal.aborted || state.isStopping || !state.isRunning || state.restarts !== known) continue
    complain(`${name} would be killed: ${last.join('; ')}\n${await logsOf(docker, name)}`)
  }
}

function probeReadiness({ address, container }: Watched, state: State, signal: AbortSignal): Promise<void> {
  const { readinessProbe } = container
  return probing(address, readinessProbe, signal, ({ length }) => {
    if (length === 0) state.isReady = true
    if (length >= readinessProbe.failureThreshold) state.isReady = false
    return true
  })
}

/** Returns the last lines that a container has written. */
export const logsOf = ({ env }: Docker, name: string): Promise<string> =>
  run('sh', ['-c', `docker logs --tail 5 ${name} 2>&1`], { env })
