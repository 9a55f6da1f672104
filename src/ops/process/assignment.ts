import { setInterval as every, setTimeout as sleep } from 'node:timers/promises'
import type { App, Partition, Tick } from '../../app.ts'
import { runStage } from '../../stages/runner/commit-batch.ts'
import { type Leases, leaveLeases, renewEveryMs, renewLeases } from '../../stages/runner/leases.ts'
import type { Stage } from '../../stages/stage.ts'
import type { Loop } from './supervise.ts'

/** A stage's loop on one partition. */
export function stageLoop(app: Partition, stage: Stage): Loop {
  return { name: loopName(stage, app.keys.partition), run: (tick, signal) => runStage(app, stage, tick, signal) }
}

const loopName = ({ name }: Stage, partition: number | undefined): string =>
  partition === undefined ? name : `${name} p${partition}`

/** The loops of a stage on all partitions, of which each runs while this process has the lease. */
export interface Share extends AsyncDisposable {
  readonly leasing: Loop
  readonly loops: readonly Loop[]
}

/**
 * Shares the partitions of a stage out among the processes that run it. While Redis is away each goes on with what it
 * has. A process that leaves gives its leases back; of one that is killed they run out.
 */
export function shareOut(app: App, stage: Stage): Share {
  const tenures = new Map<number, { readonly token: number; readonly end: AbortController }>()

  function follow(leases: Leases): void {
    for (const [partition, { token, end }] of tenures) {
      if (leases.get(partition) === token) continue
      end.abort()
      tenures.delete(partition)
    }
    for (const [partition, token] of leases) {
      if (!tenures.has(partition)) tenures.set(partition, { token, end: new AbortController() })
    }
    app.telemetry.emit('leased', { stage: stage.name, partitions: [...tenures.keys()] })
  }

  const renew = async (tick: Tick): Promise<void> => {
    follow(await renewLeases(app, stage))
    tick()
  }

  return {
    leasing: {
      name: `${stage.name}-leases`,
      run: async (tick, signal) => {
        await renew(tick)
        for await (const _ of every(renewEveryMs, undefined, { signal })) await renew(tick)
      },
    },
    loops: app.partitions.map((keys, partition) => {
      const loop = stageLoop({ ...app, keys }, stage)
      return { name: loop.name, run: whileHeld(app, loop, () => tenures.get(partition)?.end.signal) }
    }),
    [Symbol.asyncDispose]: () => leaveLeases(app, stage).catch(() => {}), // they run out
  }
}

/** How often a loop looks whether it has the lease. */
const lookEveryMs = 100

function whileHeld({ pulse }: App, loop: Loop, held: () => AbortSignal | undefined): Loop['run'] {
  return async (tick, signal) => {
    while (!signal.aborted) {
      const tenure = held()
      if (!tenure || tenure.aborted) {
        pulse.set(loop.name, performance.now()) // not a tick: a loop that failed before has not recovered by that
        await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
        continue
      }
      try {
        await loop.run(tick, AbortSignal.any([signal, tenure]))
      } catch (error) {
        if (!tenure.aborted) throw error
      }
    }
  }
}
