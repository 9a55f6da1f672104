import { setTimeout as sleep } from 'node:timers/promises'
import type { Alertmanager, Notification } from './alertmanager.ts'
import { redisAway } from './causes/redis.ts'
import type { Prometheus } from './prometheus.ts'
import { type Observed, observe, type Watch } from './watch.ts'
import { system, type World } from './world.ts'

/** The alerts of an outage of Redis. */
export interface Outage {
  readonly rows: readonly Observed[]
  /** Alerts that fired during the outage, by Prometheus. */
  readonly fired: readonly string[]
  /** Those of them that Alertmanager inhibited. */
  readonly inhibited: readonly string[]
  readonly sent: readonly Notification[]
}

/** Long enough for the consequences of the outage, and short enough that no process ends by it: they do after a minute. */
const outageMs = 15_000

/** Lets Redis hang, and reports what fires, and what Alertmanager inhibits and sends. */
export async function observeOutage(
  world: World,
  watch: Watch,
  { prometheus, alertmanager }: { prometheus: Prometheus; alertmanager: Alertmanager },
): Promise<Outage> {
  const before = alertmanager.sent(system).length
  const [fired, inhibited] = [new Set<string>(), new Set<string>()]
  const begin: typeof redisAway.begin = async (world) => {
    const end = await redisAway.begin(world)
    for (let waitedMs = 0; waitedMs < outageMs; waitedMs += 500) {
      await sleep(500)
      for (const alert of await prometheus.firing(system)) fired.add(alert)
      for (const alert of await alertmanager.inhibited(system)) inhibited.add(alert)
    }
    return end
  }
  const rows = await observe(world, watch, [{ ...redisAway, begin }])
  return { rows, fired: [...fired], inhibited: [...inhibited], sent: alertmanager.sent(system).slice(before) }
}
