import type { App } from '../../app.ts'
import type { Incident } from '../../control/incidents.ts'
import { type Eviction, noEviction, readEviction } from '../../redis/eviction.ts'

/**
 * Says once when a server begins to throw keys away when it is full, and when it does so no more.
 * @returns what looks again, and gives what has been thrown away since it looked last
 */
export function followEviction({ redis, telemetry, now }: App): () => Promise<Incident[]> {
  let evicting = ''
  const evicted = new Map<string, number>()
  return async () => {
    const servers = await readEviction(redis)
    const policies = [...new Set(servers.map(({ policy }) => policy))].filter((policy) => policy !== noEviction)
    if (policies.length > 0 && evicting !== policies.join()) {
      const advice = 'Set maxmemory-policy noeviction: Redis throws orders away when it is full.'
      telemetry.emit('evicting', { policy: policies.join(', '), advice })
    }
    if (policies.length === 0 && evicting !== '') telemetry.emit('evictionOff', {})
    evicting = policies.join()
    return servers.flatMap((server) => thrownAway(server, evicted, now()))
  }
}

/** @param known how many each server had thrown away when it was looked at last; fewer after it was started again */
function thrownAway({ server, evicted }: Eviction, known: Map<string, number>, now: Date): Incident[] {
  if (evicted === undefined) return []
  const before = known.get(server)
  known.set(server, evicted)
  if (before === undefined || evicted <= before) return []
  const some = `${(evicted - before).toLocaleString('en')} key${evicted - before === 1 ? '' : 's'}`
  const what = `Redis at ${server} was full and threw ${some} away`
  const text = `${what}: orders, totals and remembered orders may be among them. Look with orders verify --deep.`
  return [{ kind: 'evicted', place: server, ts: now.toISOString(), orders: evicted - before, text }]
}
