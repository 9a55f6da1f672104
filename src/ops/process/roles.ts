import { setInterval as every } from 'node:timers/promises'
import type { App, Loop, Tick } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { lowWater } from '../../ingest/backpressure.ts'
import { openBacklog, totalOf } from '../../reads/backlog.ts'
import { timelineLoop } from '../../reads/timeline.ts'
import { closeOnStop } from '../../redis/client.ts'
import { unlessForbidden } from '../../redis/errors.ts'
import { archive } from '../../stages/archive/archive.ts'
import { rewire } from '../../stages/layout/rewire.ts'
import { pipeline } from '../../stages/pipeline.ts'
import type { Pipeline, Stage } from '../../stages/placed.ts'
import { openTracing } from '../../tracing/open.ts'
import { checkAtStart } from '../checks/checks.ts'
import { incidentLoop } from '../incidents/loop.ts'
import { lossLoop } from '../incidents/losses.ts'
import { manifestLoop } from '../manifest/check.ts'
import { announceFormat } from '../manifest/order-format.ts'
import { readRepartition } from '../manifest/repartition.ts'
import { assignPartitions, stageLoop } from './assignment.ts'
import { loadLoop } from './load.ts'
import { openPauseGate } from './pausing.ts'
import { announceRoles } from './presence.ts'
import { supervise } from './supervise.ts'

/** A part of the system. It runs alone in a process, or together with others. */
interface Role extends AsyncDisposable {
  readonly loops: readonly Loop[]
  /** The loops that a pause of the component stops. */
  readonly pausable?: readonly Loop[]
  /** The URL of its HTTP server. */
  readonly url?: string
}

/** Roles that are open. */
export interface Roles extends AsyncDisposable {
  /** The URL of the API; undefined without the role api. */
  readonly apiUrl: string | undefined
  /** Runs them until the signal aborts. */
  run(): Promise<void>
}

type Opener = (app: App, partitions: readonly number[] | undefined, signal: AbortSignal) => Promise<Role>

/** Maps each role to its opener, which loads the modules that only this role needs. */
const openersIn = ({ stages }: Pipeline): ReadonlyMap<string, Opener> =>
  new Map<string, Opener>([
    ['bridge', bridge],
    ...stages.map((stage): [string, Opener] => [stage.name, (app, partitions) => worker(app, stage, partitions)]),
    ['jobs', jobs],
    ['api', api],
  ])

/** The roles of a pipeline. */
export const rolesIn = (of: Pipeline): string[] => [...openersIn(of).keys()]

/** The roles that a command line may name, before anything is opened. */
export const roleNames = rolesIn(pipeline)

/** Opens the named roles and runs them until the signal aborts. @see openRoles */
export async function runRoles(...args: Parameters<typeof openRoles>): Promise<void> {
  await using roles = await openRoles(...args)
  await roles.run()
}

/**
 * Opens the named roles.
 * @param signal stops them
 * @param partitions the ones that the stages process; undefined for those that are assigned to this process
 * @throws OrdersError when a role cannot be opened; then nothing runs.
 */
export async function openRoles(
  opened: App,
  names: readonly string[],
  signal: AbortSignal,
  partitions?: readonly number[],
): Promise<Roles> {
  await unlessForbidden(endRepartition(opened)) // a process with the right does it
  if (names.includes('bridge')) {
    const { awaitQueue } = await import('../open/await-queue.ts')
    await awaitQueue(opened, names, signal)
  }
  await checkAtStart(opened, names, signal)
  await using stack = new AsyncDisposableStack()
  const app = { ...opened, tracing: stack.use(await openTracing(opened)), stopping: signal }
  await announceFormat(app, names).catch(() => {}) // a full Redis takes no writes, and the stages must make room
  const presence = stack.use(await announceRoles(app, names)) // before the API can say that no process runs them
  const loops: Loop[] = [presence.loop, manifestLoop(app), incidentLoop(app, { ledger: names.includes('validate') })]
  const gate = stack.use(await openPauseGate(app, signal))
  let apiUrl: string | undefined
  for (const [name, open] of openersOf(app.pipeline, names)) {
    const role = stack.use(await open(app, partitions, signal))
    apiUrl ??= role.url
    loops.push(...role.loops, ...(role.pausable ?? []).map((loop) => gate.pausable(name, loop)))
  }
  if (names.some((name) => app.pipeline.components.includes(name))) {
    loops.push(timelineLoop(app), lossLoop(app), loadLoop(app))
  }
  if (app.config.metricsPort !== undefined && !names.includes('api')) {
    const { openHealth } = await import('../../api/health.ts')
    stack.use(await openHealth(app))
  }
  const ending = new AbortController() // also without a signal, as when a loop is stuck: the goodbyes of the roles must end
  stack.use(closeOnStop(app.redis, app.config.stopGraceMs, AbortSignal.any([signal, ending.signal])))
  stack.defer(() => ending.abort())
  const open = stack.move()
  const run = async (): Promise<void> => {
    app.telemetry.emit('started', { roles: names })
    await supervise(app, loops, signal)
    app.telemetry.emit('stopped', { roles: names, exitCode: 0 })
  }
  return { apiUrl, run, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

/** Ends a repartition that was killed after the new partitions took effect. */
async function endRepartition(app: App): Promise<void> {
  const state = await readRepartition(app.redis)
  if (state?.phase !== 'resume') return
  const { finishRepartition } = await import('../repartition/phases.ts')
  await finishRepartition(app, state)
}

/** @throws OrdersError ORD_USAGE for a name that is no role. */
export function requireRoles(names: readonly string[]): void {
  openersOf(pipeline, names)
}

function openersOf(pipeline: Pipeline, names: readonly string[]): [name: string, open: Opener][] {
  const openers = openersIn(pipeline)
  return names.map((name) => {
    const open = openers.get(name)
    if (open) return [name, open]
    const needed = name === archive.name ? 'ARCHIVE_URL' : 'CALENDAR=on'
    if (roleNames.includes(name))
      throw new OrdersError('ORD_USAGE', `${name} is switched off here: set ${needed} for it.`)
    throw new OrdersError('ORD_USAGE', `There is no role "${name}": expected ${[...openers.keys()].join(', ')}.`)
  })
}

async function bridge(app: App, _: unknown, signal: AbortSignal): Promise<Role> {
  const [{ openQueue }, { openBridge }, { deadLetterLoop }] = await Promise.all([
    import('../../ingest/sqs/queue.ts'),
    import('../../ingest/bridge.ts'),
    import('../../ingest/dead-letters/watch.ts'),
  ])
  await using stack = new AsyncDisposableStack()
  const queue = stack.use(await openQueue(app.config, signal))
  const readBacklog = openBacklog(app, { from: Math.round(app.config.highWaterOrders * lowWater) })
  const readWaiting = async (): Promise<number> => totalOf((await readBacklog()).stages)
  const bridge = stack.use(await openBridge(app, queue, readWaiting))
  const pollers = Array.from({ length: app.config.bridgePollers }, (_, i) => ({
    name: `bridge-${i + 1}`,
    run: bridge.poll,
  }))
  const opened = stack.move()
  return {
    // A pause does not keep written messages in SQS.
    loops: [{ name: 'bridge-delete', run: bridge.delete }, deadLetterLoop(app)],
    pausable: pollers,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/**
 * Runs a stage on the given partitions. Without them, several partitions are distributed over all processes of the stage. So is
 * a single one of the archive: it has one open segment, not one of each process.
 */
async function worker(app: App, stage: Stage, given: readonly number[] | undefined): Promise<Role> {
  await rewire(app)
  const shared =
    given === undefined && (app.partitions.length > 1 || stage.name === archive.name)
      ? assignPartitions(app, stage)
      : undefined
  if (shared)
    return { loops: [shared.leasing], pausable: shared.loops, [Symbol.asyncDispose]: shared[Symbol.asyncDispose] }
  const own = app.partitions.filter((_, partition) => given === undefined || given.includes(partition))
  const pausable = own.map((keys) => stageLoop({ ...app, keys }, stage))
  return { loops: [], pausable, [Symbol.asyncDispose]: async () => {} }
}

async function api(app: App): Promise<Role> {
  const [{ openApi }, { board }] = await Promise.all([import('../../api/server.ts'), import('../jobs/board.ts')])
  const place = app.pipeline.stage(archive.name) && (await import('../erase/archive.ts')).archivePlace
  const server = await openApi(app, [board], place)
  const loops = [{ name: 'api', run: tickWhileAlive }]
  return { loops, url: server.url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

async function jobs(app: App): Promise<Role> {
  const { jobLoops } = await import('../jobs/workers.ts')
  return { loops: jobLoops(app), [Symbol.asyncDispose]: async () => {} }
}

/** Ticks while the event loop turns: then the API responds. */
async function tickWhileAlive(tick: Tick, signal: AbortSignal): Promise<void> {
  for await (const _ of every(1_000, undefined, { signal })) tick()
}
