import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import { readPauses } from '../../control/pauses.ts'
import { OrdersError } from '../../errors.ts'
import { openBacklog, type StageBacklog, totalOf, type WaitingByStage } from '../../reads/backlog.ts'
import { countText } from '../../reads/count-text.ts'
import { askFlush } from '../../stages/archive/flush.ts'
import { otherListText } from '../../stages/layout/layout.ts'
import { pausedLines } from '../terminal/notes.ts'
import type { Line } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'

/** A bridge pauses within a second and then writes the messages it has in flight. */
const settleMs = 2_000
const checkEveryMs = 100

interface Draining {
  readonly timeoutMs: number
  readonly show: ((left: number) => void) | undefined
}

const measureEveryMs = 1_000

/**
 * Waits until the bridges have paused and no order waits, or until the timeout. Returns the backlog at that moment.
 * @throws OrdersError ORD_MANIFEST if the running processes have another list of stages
 */
export async function drain(
  app: App,
  { timeoutMs, show }: Draining,
  signal: AbortSignal,
): Promise<{ drained: boolean; stages: readonly StageBacklog[] }> {
  await requireSameList(app)
  const readBacklog = openBacklog(app, { everyMs: measureEveryMs })
  const until = performance.now() + timeoutMs
  for (let lastReceived = -1, quietAt = 0; ; ) {
    await askFlush(app) // else an open segment keeps its orders waiting until it is old enough
    const { counters, stages } = await readBacklog()
    const now = performance.now()
    const { received = 0 } = counters
    if (received !== lastReceived) quietAt = now + settleMs
    lastReceived = received
    const quiet = now >= quietAt
    if (quiet) show?.(totalOf(stages))
    const drained = quiet && totalOf(stages) === 0
    if (drained || now >= until) return { drained, stages }
    await sleep(checkEveryMs, undefined, { signal })
  }
}

async function requireSameList({ redis, partitions, pipeline }: App): Promise<void> {
  for (const { stages } of partitions) {
    const otherList = otherListText(pipeline, await redis.hgetall(stages))
    if (otherList !== undefined) throw new OrdersError('ORD_MANIFEST', otherList)
  }
}

/** Describes a drain that timed out: the orders left per stage, and the stages that are paused. */
export async function leftLines(app: App, waiting: WaitingByStage, timeout: number): Promise<Line[]> {
  const rows = Object.entries(waiting).map(([stage, orders]) => [stage, countText(orders)])
  const { bridge: _, ...stages } = await readPauses(app.redis, app.control)
  const heading = `Not drained in ${countText(timeout)} s:`
  return [heading, ...table([['stage', 'waiting'], ...rows]), ...pausedLines(stages, app.now())]
}
