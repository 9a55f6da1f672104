import { type OrdersProcess, spawnOrders } from '../support/process.ts'
import { freePort } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

type Env = Readonly<Record<string, string>>
type Options = Parameters<typeof spawnOrders>[2]

/** Two processes of each role run by default, so that one may fail. */
const perRole = [0, 1] as const

/** Processes of the product. Each keeps its port, at which Prometheus scrapes it, over all of its lives. */
export interface Fleet extends AsyncDisposable {
  /** The `host:port` of each. */
  readonly targets: readonly string[]
  url(role: string, at: number): string
  process(role: string, at: number): OrdersProcess
  /** Ends one at once, as a machine that fails. */
  kill(role: string, at: number): Promise<void>
  /** Starts one again, and waits until it runs. @param more of its environment */
  start(role: string, at: number, more?: Env, options?: Options): Promise<void>
  killAll(role: string): Promise<void>
  startAll(role: string, more?: Env): Promise<void>
}

/** Starts two processes of each role. */
export async function openFleet(roles: readonly string[], env: Env): Promise<Fleet> {
  const members = new Map<string, { port: number; process: OrdersProcess | undefined }>()
  for (const role of roles)
    for (const at of perRole) members.set(`${role} ${at}`, { port: await freePort(), process: undefined })
  const member = (role: string, at: number) => {
    const found = members.get(`${role} ${at}`)
    if (!found) throw new Error(`There is no process ${at} of ${role}`)
    return found
  }
  const process = (role: string, at: number): OrdersProcess => {
    const { process } = member(role, at)
    if (!process) throw new Error(`Process ${at} of ${role} is not running`)
    return process
  }
  const url = (role: string, at: number): string => `http://127.0.0.1:${member(role, at).port}`
  const start: Fleet['start'] = async (role, at, more = {}, options = {}) => {
    const one = member(role, at)
    const port = { [role === 'api' ? 'API_PORT' : 'METRICS_PORT']: String(one.port) }
    one.process = spawnOrders(['run', role], { ...env, ...port, ...more }, options)
    // Its log may go elsewhere, so this asks it.
    const answers = (): Promise<boolean> =>
      fetch(`${url(role, at)}/livez`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(`process ${at} of ${role} to run: ${one.process.stderr()}`, () => {
      if (one.process?.isRunning() === false) throw new Error(`orders run ${role} ended: ${one.process.stderr()}`)
      return answers()
    })
  }
  const kill: Fleet['kill'] = async (role, at) => {
    const one = member(role, at)
    await one.process?.kill('SIGKILL')
    one.process = undefined
  }
  const each = (role: string, act: (role: string, at: number) => Promise<void>): Promise<unknown> =>
    Promise.all(perRole.map((at) => act(role, at)))
  const close = async (): Promise<void> => {
    await Promise.all([...members.values()].map(({ process }) => process?.kill('SIGKILL')))
  }
  const fleet: Fleet = {
    ...{ targets: [...members.values()].map(({ port }) => `127.0.0.1:${port}`), url, process, kill, start },
    killAll: async (role) => void (await each(role, kill)),
    startAll: async (role, more) => void (await each(role, (role, at) => start(role, at, more))),
    [Symbol.asyncDispose]: close,
  }
  // All at once would starve each other on a small machine.
  for (const role of roles) await fleet.startAll(role)
  return fleet
}
