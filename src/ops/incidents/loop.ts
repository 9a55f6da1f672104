import { setTimeout as sleep } from 'node:timers/promises'
import type { App, Loop } from '../../app.ts'
import type { Incident } from '../../control/incidents.ts'
import type { Keys } from '../../keys.ts'
import { generationSeconds } from '../../stages/runner/ledger.ts'
import { sumBy } from '../../sums.ts'
import { judgeClock } from './clock.ts'
import { judgeData, openMemory } from './data.ts'
import { followEviction } from './eviction.ts'
import { followLedger } from './ledger.ts'
import { openNotes, reportOnce } from './notes.ts'
import { type Clock, type Scan, scanPartition } from './scan.ts'

interface Pace {
  readonly scanMs: number
  readonly evictionMs: number
  readonly ledgerMs: number
  readonly countsMs: number
}

export interface Watch extends Partial<Pace> {
  /** Also samples the ledger: one role is enough. */
  readonly ledger: boolean
}

/** A scan costs Redis 10 µs per partition; a sample of a small ledger some 60 ms. */
const usual = ({ partitions }: App): Pace => ({
  scanMs: Math.max(1_000, 50 * partitions.length),
  evictionMs: 5_000,
  ledgerMs: 60_000,
  countsMs: 60_000,
})

/**
 * Watches for damage to Redis' data from outside: deleted, replaced or restored data, a clock that jumps, lost records of
 * the ledger, evicted keys. It reports each incident and keeps it until an operator acknowledges it. It never ends the
 * process: a value that cannot be read is reported once.
 */
export function incidentLoop(app: App, { ledger, ...pace }: Watch): Loop {
  const { scanMs, evictionMs, ledgerMs, countsMs } = { ...usual(app), ...pace }
  const scans = openScans(app)
  const watch = (everyMs: number, follow: () => Promise<Incident[]>) => {
    return { isDue: due(everyMs), follow, notes: openNotes(app), once: reportOnce(app) }
  }
  const watches = [watch(0, scans.judge), watch(evictionMs, followEviction(app))]
  if (ledger) watches.push(watch(ledgerMs, followLedger(app)))
  const countsAreDue = due(countsMs)
  return {
    name: 'incidents',
    run: async (tick, signal) => {
      while (!signal.aborted) {
        for (const { isDue, follow, notes, once } of watches) {
          if (isDue()) await once(() => notes.of(follow), signal)
        }
        if (countsAreDue()) scans.reportCounts()
        tick()
        await sleep(scanMs, undefined, { signal })
      }
    },
  }
}

/** Returns a check that is true at its first call, then once per period of the monotonic clock. */
function due(everyMs: number): () => boolean {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - last < everyMs) return false
    last = performance.now()
    return true
  }
}

/** Compares each partition and its clock with the last scan. */
function openScans(app: App) {
  const memories = new Map(app.partitions.map((keys) => [keys, openMemory()]))
  const clocks = new Map<Keys, Clock>()
  const period = generationSeconds(app.config)
  const judgeOne = (keys: Keys, seen: Scan): { data: Incident[]; clock: Incident[] } => {
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
      const seen = await Promise.allSettled(app.partitions.map((keys) => scanPartition(app, keys)))
      const found = seen.flatMap((result, at) =>
        result.status === 'fulfilled' ? [judgeOne(app.partitions[at] as Keys, result.value)] : [],
      )
      const failed = seen.find(({ status }) => status === 'rejected')
      const all = [...found.flatMap(({ data }) => data), ...found.flatMap(({ clock }) => clock).slice(0, 1)]
      if (failed?.status === 'rejected' && all.length === 0) throw failed.reason
      app.telemetry.emit('dataChecked', { partitions: found.length })
      return all
    },
    /** Writes the counters of all partitions into the log, which is outside Redis. */
    reportCounts: (): void => {
      const all = [...memories.values()].flatMap(({ current, seen }) => seen.get(current ?? '') ?? [])
      if (all.length === 0) return
      const total = (name: string): number => sumBy(all, ({ counts }) => counts[name] ?? 0)
      app.telemetry.emit('counts', Object.fromEntries(app.pipeline.growing.map((name) => [name, total(name)])))
    },
  }
}
