import type { App } from '../../app.ts'
import type { Incident } from '../../control/incidents.ts'
import { countText } from '../../reads/count-text.ts'
import { type Eviction, noEviction, readEviction } from '../../redis/eviction.ts'

/**
 * Reports once when a server starts to evict keys, and when it stops.
 * @returns a function that checks again, and returns the evictions since its last call
 */
export function followEviction({ redis, telemetry, now }: App): () => Promise<Incident[]> {
  let evicting = ''
  const evicted = new Map<string, number>()
  return async () => {
    const servers = await readEviction(redis)
    const policies = [...new Set(servers.map(({ policy }) => policy))].filter((policy) => policy !== noEviction)
    if (policies.length > 0 && evicting !== policies.join()) {
      const advice = 'Set maxmemory-policy noeviction: Redis deletes orders when it is full.'
      telemetry.emit('evicting', { policy: policies.join(', '), advice })
    }
    if (policies.length === 0 && evicting !== '') telemetry.emit('evictionOff', {})
    evicting = policies.join()
    return servers.flatMap((server) => evictions(server, evicted, now()))
  }
}

/** @param known number of evicted keys per server at the last check; it starts at 0 when the server restarts */
function evictions({ server, evicted }: Eviction, known: Map<string, number>, now: Date): Incident[] {
  if (evicted === undefined) return []
  const before = known.get(server)
  known.set(server, evicted)
  if (before === undefined || evicted <= before) return []
  const some = `${countText(evicted - before)} key${evicted - before === 1 ? '' : 's'}`
  const what = `Redis at ${server} was full and deleted ${some}`
  const text = `${what}: orders, totals and ledger records may be among them. Check with orders verify --deep.`
  return [{ kind: 'evicted', place: server, ts: now.toISOString(), orders: evicted - before, text }]
}
