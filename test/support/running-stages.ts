import type { Redis } from 'ioredis'
import type { PartitionScope } from '../../src/app.ts'
import type { Config } from '../../src/config/config.ts'
import type { Stage } from '../../src/stages/placed.ts'
import { ensureGroups } from '../../src/stages/runner/groups.ts'
import { runStage } from '../../src/stages/runner/run.ts'
import { shipped } from './stages.ts'
import { appOn, emptyRedis } from './world.ts'

/** Opens an app with the groups of its stages on an empty Redis. */
export async function openStages(config: Config): Promise<{ scope: PartitionScope; redis: Redis } & AsyncDisposable> {
  const { redis, [Symbol.asyncDispose]: close } = await emptyRedis()
  const scope = appOn(redis, config)
  await ensureGroups(scope)
  return { scope, redis, [Symbol.asyncDispose]: close }
}

/** Runs stages, each in two loops, until disposed. */
export function runInTwoLoops(scope: PartitionScope, stages: readonly Stage[] = shipped.stages): AsyncDisposable {
  const stop = new AbortController()
  const two = [1, 2].map((process) => ({ ...scope, instance: `${scope.instance}-${process}` }))
  const running = two.flatMap((app) => stages.map((stage) => runStage(app, stage, () => {}, stop.signal)))
  const end = async (): Promise<void> => {
    stop.abort()
    await Promise.all(running)
  }
  return { [Symbol.asyncDispose]: end }
}
