import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../app.ts'
import type { Incident } from '../../control/incidents.ts'
import type { Keys } from '../../keys.ts'
import { generationSeconds } from '../../stages/runner/ledger.ts'
import type { Loop } from '../process/supervise.ts'
import { judgeClock } from './clock.ts'
import { judgeData, openMemory } from './data.ts'
import { followEviction } from './eviction.ts'
import { followLedger } from './ledger.ts'
import { openNotes, sayOnce } from './notes.ts'
import { type Clock, growing, type Look, look } from './scan.ts'

interface Pace {
  readonly lookMs: number
  readonly evictionMs: number
  readonly ledgerMs: number
  readonly countsMs: number
}

export interface Watch extends Partial<Pace> {
  /** Whether this process looks at the ledger too: one role is enough. */
  readonly ledger: boolean
}

/** A look costs Redis 10 µs per partition, a look at a small ledger some 60 ms. */
const usual = ({ partitions }: App): Pace => ({
  lookMs: Math.max(1_000, 50 * partitions.length),
  evictionMs: 5_000,
  ledgerMs: 60_000,
  countsMs: 60_000,
})

/**
 * Watches for what happens to Redis' data from outside: that it was deleted, replaced or put back, that its clock jumped,
 * that the ledger lost lines, that Redis throws keys away. What it notices is said, and noted until it is acknowledged.
 * It never ends the process: what cannot be read is said once.
 */
export function incidentLoop(app: App, { ledger, ...pace }: Watch): Loop {
  const { lookMs, evictionMs, ledgerMs, countsMs } = { ...usual(app), ...pace }
  const looks = openLooks(app)
  const watch = (everyMs: number, follow: () => Promise<Incident[]>) => {
    return { isDue: due(everyMs), follow, notes: openNotes(app), once: sayOnce(app) }
  }
  const watches = [watch(0, looks.judge), watch(evictionMs, followEviction(app))]
  if (ledger) watches.push(watch(ledgerMs, followLedger(app)))
  const countsAreDue = due(countsMs)
  return {
    name: 'incidents',
    run: async (tick, signal) => {
      while (!signal.aborted) {
        for (const { isDue, follow, notes, once } of watches) {
          if (isDue()) await once(() => notes.of(follow), signal)
        }
        if (countsAreDue()) looks.tellCounts()
        tick()
        await sleep(lookMs, undefined, { signal })
      }
    },
  }
}

/** By the monotonic clock; at once the first time. */
function due(everyMs: number): () => boolean {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - last < everyMs) return false
    last = performance.now()
    return true
  }
}

/** Each partition and its clock, compared with what was seen of it last. */
function openLooks(app: App) {
  const memories = new Map(app.partitions.map((keys) => [keys, openMemory()]))
  const clocks = new Map<Keys, Clock>()
  const period = generationSeconds(app.config)
  const judgeOne = (keys: Keys, seen: Look): { data: Incident[]; clock: Incident[] } => {
    const memory = memories.get(keys)
    const before = clocks.get(keys)
    clocks.set(keys, seen.clock)
    return {
      data: [(memory && judgeData(memory, seen, keys)) ?? []].flat(),
      clock: [(before && judgeClock(before, seen.clock, period)) ?? []].flat(),
    }
  }
  return {
    judge: async (): Promise<Incident[]> => {
      const seen = await Promise.allSettled(app.partitions.map((keys) => look(app, keys)))
      const found = seen.flatMap((result, at) =>
        result.status === 'fulfilled' ? [judgeOne(app.partitions[at] as Keys, result.value)] : [],
      )
      const failed = seen.find(({ status }) => status === 'rejected')
      const all = [...found.flatMap(({ data }) => data), ...found.flatMap(({ clock }) => clock).slice(0, 1)]
      if (failed?.status === 'rejected' && all.length === 0) throw failed.reason
      app.telemetry.emit('looked', { partitions: found.length })
      return all
    },
    /** The counters of all partitions, into the log: it is outside Redis. */
    tellCounts: (): void => {
      const all = [...memories.values()].flatMap(({ current, seen }) => seen.get(current ?? '') ?? [])
      if (all.length === 0) return
      const sum = (name: string): number => all.reduce((total, { counts }) => total + (counts[name] ?? 0), 0)
      app.telemetry.emit('counts', Object.fromEntries(growing.map((name) => [name, sum(name)])))
    },
  }
}
