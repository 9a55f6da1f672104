/* Processes orders on a Redis Cluster, or on one Redis without partitions, and reports time and CPU. */

import { randomUUID } from 'node:crypto'
import { readConfig } from '../src/config/config.ts'
import { enqueue } from '../src/ingest/enqueue.ts'
import { openApp } from '../src/ops/open/open-app.ts'
import { runRoles } from '../src/ops/process/roles.ts'
import { identityIn } from '../src/order/identity.ts'
import { partitionFor } from '../src/partitions.ts'
import { readGlobalStats } from '../src/stages/aggregate.ts'
import { plainFormat } from '../test/support/plain-format.ts'
import { cpuMeter, type Round } from './harness.ts'
import { chunks, countdown, inParallel } from './line/contender.ts'
import { benchOrders } from './orders.ts'
import { serve } from './worker.ts'

export interface ClusterTask {
  /** Nodes of the cluster, separated by commas. */
  readonly url: string
  /** 0 means one Redis, with bare keys. */
  readonly partitions: number
  readonly orders: number
  readonly pids: Readonly<Record<string, number>>
}

serve(async ({ url, partitions, orders: count, pids }: ClusterTask): Promise<Round> => {
  const clustered = { REDIS_CLUSTER: 'true', PARTITIONS: String(partitions) }
  const app = await openApp(readConfig({ REDIS_URL: url, LOG_LEVEL: 'silent', ...(partitions > 0 && clustered) }))
  const orders = benchOrders(count, {})
  const bodies = Map.groupBy(orders, ({ body }) => partitionFor(app.partitions, identityIn(body, plainFormat).userId))
  for (const [keys, own] of bodies) {
    await inParallel(chunks(own, 10), 16, (ten) =>
      enqueue(
        app.redis,
        keys,
        ten.map(({ body }) => ({ id: randomUUID(), body })),
      ),
    )
  }
  globalThis.gc?.()
  const ranked = countdown(count)
  let started = 0
  let meter = (): Record<string, number> => ({})
  app.telemetry.on('started', () => {
    meter = cpuMeter({ ...pids, node: process.pid })
    started = performance.now()
  })
  app.telemetry.on('committed', ({ stage, passed }) => {
    if (stage === 'leaderboard') ranked.tick(passed)
  })
  const stop = new AbortController()
  const running = runRoles(app, ['validate', 'aggregate', 'leaderboard'], stop.signal)
  await Promise.race([ranked.done, running])
  const round = { count, ms: performance.now() - started, cpuMs: meter() }
  const totals = await readGlobalStats(app.redis, app.partitions)
  stop.abort()
  await running
  await app[Symbol.asyncDispose]()
  if (totals.orders !== count) throw new Error(`cluster: ${totals.orders} of ${count} orders are counted`)
  return round
})
