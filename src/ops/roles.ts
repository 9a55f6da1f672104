import { setInterval as every } from 'node:timers/promises'
import { openApi, openHealth } from '../api/server.ts'
import type { App } from '../app.ts'
import { OrdersError } from '../errors.ts'
import { openBridge } from '../ingest/bridge.ts'
import { openQueue } from '../ingest/queue.ts'
import { closeOnStop } from '../redis.ts'
import { readCounters, waitingForAny } from '../stages/books.ts'
import { pipeline } from '../stages/pipeline.ts'
import { runStage } from '../stages/run.ts'
import type { Stage } from '../stages/stage.ts'
import { timelineLoop } from '../stages/timeline.ts'
import { openTracing } from '../tracing.ts'
import { board } from './board.ts'
import { checkAtStart } from './checks.ts'
import { defineCommand } from './command.ts'
import { jobLoops } from './jobs.ts'
import { openApp } from './open.ts'
import { openSteering } from './steer.ts'
import { type Loop, supervise } from './supervise.ts'

/** A part of the system that can run alone or beside the others in one process. */
interface Role extends AsyncDisposable {
  readonly loops: readonly Loop[]
  /** Those that a pause of the part stops. */
  readonly steered?: readonly Loop[]
}

type Opener = (app: App) => Promise<Role>

const openers: ReadonlyMap<string, Opener> = new Map<string, Opener>([
  ['bridge', bridge],
  ...pipeline.map((stage): [string, Opener] => [stage.name, (app) => worker(app, stage)]),
  ['jobs', jobs],
  ['api', api],
])

export const roleNames = [...openers.keys()]

/**
 * Opens the named roles and runs them until the signal aborts.
 * @throws OrdersError when one cannot be opened; nothing runs then.
 */
export async function runRoles(opened: App, names: readonly string[], signal: AbortSignal): Promise<void> {
  await checkAtStart(opened, names)
  await using stack = new AsyncDisposableStack()
  const app = { ...opened, tracing: stack.use(await openTracing(opened.config)) }
  const loops: Loop[] = []
  const steerer = stack.use(await openSteering(app, signal))
  for (const [name, open] of openersOf(names)) {
    const role = stack.use(await open(app))
    loops.push(...role.loops, ...(role.steered ?? []).map((loop) => steerer.steer(name, loop)))
  }
  if (names.some((name) => name === 'bridge' || pipeline.some((stage) => stage.name === name)))
    loops.push(timelineLoop(app))
  if (app.config.metricsPort !== undefined && !names.includes('api')) stack.use(await openHealth(app))
  closeOnStop(app.redis, app.config.stopGraceMs, signal)
  app.telemetry.emit('started', { roles: names })
  await supervise(app, loops, signal)
  app.telemetry.emit('stopped', { roles: names })
}

function openersOf(names: readonly string[]): [name: string, open: Opener][] {
  return names.map((name) => {
    const open = openers.get(name)
    if (open) return [name, open]
    throw new OrdersError('ORD_USAGE', `There is no role "${name}": expected ${roleNames.join(', ')}.`)
  })
}

async function bridge(app: App): Promise<Role> {
  await using stack = new AsyncDisposableStack()
  const queue = stack.use(await openQueue(app.config))
  const readWaiting = async (): Promise<number> => waitingForAny(await readCounters(app.redis, app.keys))
  const bridge = stack.use(await openBridge(app, queue, readWaiting))
  const pollers = Array.from({ length: app.config.bridgePollers }, (_, i) => ({
    name: `bridge-${i + 1}`,
    run: bridge.poll,
  }))
  const opened = stack.move()
  return {
    loops: [{ name: 'bridge-delete', run: bridge.delete }], // what is written goes on being deleted in a pause
    steered: pollers,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function worker(app: App, stage: Stage): Promise<Role> {
  const loop: Loop = { name: stage.name, run: (tick, signal) => runStage(app, stage, tick, signal) }
  return { loops: [], steered: [loop], [Symbol.asyncDispose]: async () => {} }
}

async function api(app: App): Promise<Role> {
  const server = await openApi(app, [board])
  return { loops: [{ name: 'api', run: tickWhileAlive }], [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

async function jobs(app: App): Promise<Role> {
  return { loops: jobLoops(app), [Symbol.asyncDispose]: async () => {} }
}

/** The API answers as long as the event loop turns. */
async function tickWhileAlive(tick: () => void, signal: AbortSignal): Promise<void> {
  for await (const _ of every(1_000, undefined, { signal })) tick()
}

export const runCommand = defineCommand({
  name: 'run',
  words: '<role…>',
  about: `Runs the named roles in this process: ${roleNames.join(', ')}. Start as many processes as you like.`,
  options: {},
  run: async ({ config, words, signal }) => {
    if (words.length === 0) throw new OrdersError('ORD_USAGE', `orders run: no role: expected ${roleNames.join(', ')}.`)
    openersOf(words)
    await using app = await openApp(config)
    await runRoles(app, [...new Set(words)], signal)
  },
})
