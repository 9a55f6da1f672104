import { setInterval as every } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { lowWater } from '../../ingest/backpressure.ts'
import { openTracing } from '../../opentelemetry.ts'
import { openBacklog, totalOf } from '../../reads/backlog.ts'
import { timelineLoop } from '../../reads/timeline.ts'
import { closeOnStop } from '../../redis/client.ts'
import { unlessForbidden } from '../../redis/rights.ts'
import { pipeline } from '../../stages/pipeline.ts'
import type { Stage } from '../../stages/stage.ts'
import { checkAtStart } from '../checks/checks.ts'
import { defineCommand } from '../command.ts'
import { incidentLoop } from '../incidents/loop.ts'
import { lossLoop } from '../incidents/losses.ts'
import { manifestLoop, readRepartition } from '../manifest.ts'
import { openOnceUp } from '../open/open-once-up.ts'
import { openSteering } from '../steer.ts'
import { shareOut, stageLoop } from './assignment.ts'
import { type Loop, supervise } from './supervise.ts'

/** A part of the system that can run alone or beside the others in one process. */
interface Role extends AsyncDisposable {
  readonly loops: readonly Loop[]
  /** Those that a pause of the part stops. */
  readonly steered?: readonly Loop[]
}

type Opener = (app: App, partitions: readonly number[] | undefined, signal: AbortSignal) => Promise<Role>

/** What a role alone needs is loaded with it. */
const openers: ReadonlyMap<string, Opener> = new Map<string, Opener>([
  ['bridge', bridge],
  ...pipeline.map((stage): [string, Opener] => [stage.name, (app, partitions) => worker(app, stage, partitions)]),
  ['jobs', jobs],
  ['api', api],
])

export const roleNames = [...openers.keys()]

/**
 * Opens the named roles and runs them until the signal aborts.
 * @param partitions those that its stages work; undefined for those that fall to this process
 * @throws OrdersError when one cannot be opened; nothing runs then.
 */
export async function runRoles(
  opened: App,
  names: readonly string[],
  signal: AbortSignal,
  partitions?: readonly number[],
): Promise<void> {
  await unlessForbidden(endRepartition(opened)) // then a process that may do it does
  if (names.includes('bridge')) {
    const { awaitQueue } = await import('../open/await-queue.ts')
    await awaitQueue(opened, names, signal)
  }
  await checkAtStart(opened, names, signal)
  await using stack = new AsyncDisposableStack()
  const app = { ...opened, tracing: stack.use(await openTracing(opened.config)), stopping: signal }
  const loops: Loop[] = [manifestLoop(app), incidentLoop(app, { ledger: names.includes('validate') })]
  const steerer = stack.use(await openSteering(app, signal))
  for (const [name, open] of openersOf(names)) {
    const role = stack.use(await open(app, partitions, signal))
    loops.push(...role.loops, ...(role.steered ?? []).map((loop) => steerer.steer(name, loop)))
  }
  if (names.some((name) => name === 'bridge' || pipeline.some((stage) => stage.name === name)))
    loops.push(timelineLoop(app), lossLoop(app))
  if (app.config.metricsPort !== undefined && !names.includes('api')) {
    const { openHealth } = await import('../../api/server.ts')
    stack.use(await openHealth(app))
  }
  stack.use(closeOnStop(app.redis, app.config.stopGraceMs, signal))
  app.telemetry.emit('started', { roles: names })
  await supervise(app, loops, signal)
  app.telemetry.emit('stopped', { roles: names })
}

/** Ends a repartition that was killed after the new partitions had come into force. */
async function endRepartition(app: App): Promise<void> {
  const state = await readRepartition(app.redis)
  if (state?.phase !== 'resume') return
  const { finishRepartition } = await import('../repartition.ts')
  await finishRepartition(app, state)
}

function openersOf(names: readonly string[]): [name: string, open: Opener][] {
  return names.map((name) => {
    const open = openers.get(name)
    if (open) return [name, open]
    throw new OrdersError('ORD_USAGE', `There is no role "${name}": expected ${roleNames.join(', ')}.`)
  })
}

async function bridge(app: App, _: unknown, signal: AbortSignal): Promise<Role> {
  const [{ openQueue }, { openBridge }] = await Promise.all([
    import('../../ingest/sqs/queue.ts'),
    import('../../ingest/bridge.ts'),
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
    loops: [{ name: 'bridge-delete', run: bridge.delete }], // what is written goes on being deleted in a pause
    steered: pollers,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** On the given partitions; else several are shared out among the processes that run the stage, and one is worked by all. */
async function worker(app: App, stage: Stage, given: readonly number[] | undefined): Promise<Role> {
  const shared = given === undefined && app.partitions.length > 1 ? shareOut(app, stage) : undefined
  if (shared)
    return { loops: [shared.leasing], steered: shared.loops, [Symbol.asyncDispose]: shared[Symbol.asyncDispose] }
  const own = app.partitions.filter((_, partition) => given === undefined || given.includes(partition))
  const steered = own.map((keys) => stageLoop({ ...app, keys }, stage))
  return { loops: [], steered, [Symbol.asyncDispose]: async () => {} }
}

async function api(app: App): Promise<Role> {
  const [{ openApi }, { board }] = await Promise.all([import('../../api/server.ts'), import('../jobs/board.ts')])
  const server = await openApi(app, [board])
  return { loops: [{ name: 'api', run: tickWhileAlive }], [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

async function jobs(app: App): Promise<Role> {
  const { jobLoops } = await import('../jobs.ts')
  return { loops: jobLoops(app), [Symbol.asyncDispose]: async () => {} }
}

/** The API answers as long as the event loop turns. */
async function tickWhileAlive(tick: () => void, signal: AbortSignal): Promise<void> {
  for await (const _ of every(1_000, undefined, { signal })) tick()
}

/** @param list such as `0-3,7` */
function rangesIn(list: string): [from: number, to: number][] {
  return list.split(',').map((part) => {
    const [from = 0, to = from] = part.split('-').map(Number)
    return [from, to]
  })
}

export const runCommand = defineCommand({
  name: 'run',
  words: '<role…>',
  about: `Runs the named roles in this process: ${roleNames.join(', ')}. Start as many processes as you like.`,
  options: {
    partitions: {
      hint: 'LIST',
      about: 'the partitions that its stages work, such as 0-3,7 (default those that fall to this process)',
      expected: 'numbers and ranges separated by commas, such as 0-3,7',
      schema: z
        .string()
        .regex(/^\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*$/)
        .transform(rangesIn)
        .refine((ranges) => ranges.every(([from, to]) => from <= to))
        .transform((ranges) =>
          ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at)),
        )
        .optional(),
    },
  },
  run: async ({ config, words, options: { partitions }, signal }) => {
    if (words.length === 0) throw new OrdersError('ORD_USAGE', `orders run: no role: expected ${roleNames.join(', ')}.`)
    openersOf(words)
    await using app = await openOnceUp(config, words, signal)
    const beyond = partitions?.find((partition) => partition >= app.partitions.length)
    if (beyond !== undefined) {
      const told = `orders run: there is no partition ${beyond}, there are ${app.partitions.length}`
      throw new OrdersError('ORD_USAGE', `${told}: use 0 to ${app.partitions.length - 1}.`)
    }
    await runRoles(app, [...new Set(words)], signal, partitions)
  },
})
