import { setInterval as every } from 'node:timers/promises'
import type { App, Loop, PartitionScope, Tick } from '../../app.ts'
import { openDurable } from '../../ingest/proof/durable.ts'
import type { Stage } from '../../stages/placed.ts'
import { type Leases, leaveLeases, renewEveryMs, renewLeases } from '../../stages/runner/leases.ts'
import { runStage } from '../../stages/runner/run.ts'
import { runWhile } from './run-while.ts'

/** Returns the loop of a stage on one partition. */
export function stageLoop(scope: PartitionScope, stage: Stage): Loop {
  const run: Loop['run'] = (tick, signal) => runStage(scope, stage, tick, signal, (until) => confirm(scope, until))
  return { name: loopName(stage, scope.keys.partition), run }
}

async function confirm(scope: PartitionScope, signal: AbortSignal): Promise<void> {
  using durable = await openDurable({ ...scope, partitions: [scope.keys] }, signal)
  await durable.confirm()
}

const loopName = ({ name }: Stage, partition: number | undefined): string =>
  partition === undefined ? name : `${name} p${partition}`

/** The loops of a stage on all partitions. Each runs while this process has the lease of its partition. */
export interface Assignment extends AsyncDisposable {
  readonly leasing: Loop
  readonly loops: readonly Loop[]
}

/**
 * Distributes the partitions of a stage over the processes that run it. While Redis is away, each process keeps its
 * leases. A process that stops gives its leases back; the leases of a killed one expire.
 */
export function assignPartitions(app: App, stage: Stage): Assignment {
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
    app.telemetry.emit('partitionsAssigned', { stage: stage.name, partitions: [...tenures.keys()] })
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
    loops: app.partitions.map((keys, partition) =>
      runWhile(app, stageLoop({ ...app, keys }, stage), () => tenures.get(partition)?.end.signal),
    ),
    [Symbol.asyncDispose]: () => leaveLeases(app, stage).catch(() => {}), // they expire
  }
}
