import type { App } from '../../app.ts'
import { countText } from '../../reads/count-text.ts'
import { generationSeconds, meanBucket } from '../../stages/runner/ledger.ts'
import { timeMs } from '../../stream-id.ts'
import { manifestConflicts } from '../manifest/settings.ts'
import { type Finding, ok, warning } from './finding.ts'

/** Checks that LEDGER_DAYS and LEDGER_BUCKETS are those that Redis was set up with, and that the buckets are enough. */
export async function ledger(app: App, compactEntries: number): Promise<Finding[]> {
  const { ledgerDays, ledgerBuckets } = app.config
  const conflicts = await manifestConflicts(app.redis, app.config)
  if (conflicts.length > 0) return conflicts.map((found) => ({ check: 'ledger settings', level: 'error', found }))
  const settings = `LEDGER_DAYS=${ledgerDays}, LEDGER_BUCKETS=${ledgerBuckets}`
  return [ok('ledger settings', settings), judgeLedger(await readLedger(app), ledgerBuckets, compactEntries)]
}

export interface LedgerSample {
  /** Orders in one bucket of this generation. */
  readonly perBucket: number
  /** Elapsed part of the generation, from 0 to 1. */
  readonly elapsed: number
}

/** Bucket sizes deviate by the square root of the mean: at 80 % on average, less than one bucket in a hundred is full. */
const roomUsed = 0.8

/** @param compactEntries a larger hash takes several times the memory */
export function judgeLedger({ perBucket, elapsed }: LedgerSample, buckets: number, compactEntries: number): Finding {
  const check = 'ledger buckets'
  const projected = Math.ceil(perBucket / elapsed)
  const room = compactEntries * roomUsed
  const found = `${countText(projected)} orders each when this generation ends (${Math.round(elapsed * 100)} % of it is over)`
  if (projected <= room) return ok(check, found)
  const better = 2 ** Math.ceil(Math.log2((projected * buckets) / room))
  const advice = `Set up Redis again with LEDGER_BUCKETS=${better} when you can, or raise hash-max-listpack-entries`
  return warning(check, found, `${advice}: above ${compactEntries} a bucket takes several times the memory.`)
}

/** The mean of this many buckets is within a few percent of the mean of all. */
const sampledBuckets = 64
const daySeconds = 86_400

async function readLedger(app: App): Promise<LedgerSample> {
  const period = generationSeconds(app.config)
  const seconds = timeMs(await app.redis.time()) / 1_000
  const generation = Math.floor(seconds / period)
  const means = app.partitions.map((keys) => meanBucket({ ...app, keys }, generation, sampledBuckets))
  const perBucket = Math.max(...(await Promise.all(means)))
  // At least a day: otherwise one busy hour would be projected over the whole generation.
  return { perBucket, elapsed: Math.max(seconds % period, daySeconds) / period }
}
