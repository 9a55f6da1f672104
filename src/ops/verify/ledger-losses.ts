import { z } from 'zod'
import type { PartitionScope } from '../../app.ts'
import { countText } from '../../reads/count-text.ts'
import { defineScript } from '../../redis/script.ts'
import { generationNow, generationSeconds } from '../../stages/runner/ledger.ts'

const countRecords = defineScript(import.meta.url, z.tuple([z.int(), z.int(), z.int()]))

/** A generation of the ledger that has fewer records than were written into it. */
export interface LedgerLoss {
  readonly partition: number | undefined
  readonly generation: number
  /** Estimated from a sample, unless `exact`. */
  readonly lost: number
  readonly exact: boolean
  readonly of: number
}

type Place = Pick<PartitionScope, 'redis' | 'config' | 'keys'>

/** Keys per call: some 2 ms of Redis' time, and fewer arguments than any service's limit. */
const bucketsPerCall = 2_000

/** Counts lost records in all buckets of both generations. Records written meanwhile can hide a loss, never add one. */
export async function ledgerLosses(place: Place): Promise<LedgerLoss[]> {
  const now = await generationNow(place)
  const losses = await Promise.all([now, now - 1].map((generation) => ledgerLoss(place, generation, 'all')))
  return losses.flatMap((loss) => loss ?? [])
}

/**
 * Compares the records of a generation with how many were written into it.
 * @param wanted 'all' reads all buckets; a number reads as many as hold about that many records, and reports only a loss that
 * cannot be chance
 * @returns undefined if nothing is lost, or the generation may expire
 */
export async function ledgerLoss(
  place: Place,
  generation: number,
  wanted: number | 'all',
): Promise<LedgerLoss | undefined> {
  const { config, keys } = place
  const { recorded } = await count(place, generation, [])
  if (recorded === 0) return undefined
  const buckets = config.ledgerBuckets
  const sampled = wanted === 'all' ? buckets : Math.min(buckets, Math.ceil((wanted * buckets) / recorded))
  const first = Math.floor(Math.random() * buckets)
  const numbers = Array.from({ length: sampled }, (_, at) => (first + Math.floor((at * buckets) / sampled)) % buckets)
  let [found, written, seconds] = [0, recorded, 0]
  for (let from = 0; from < sampled; from += bucketsPerCall) {
    const chunk = await count(place, generation, numbers.slice(from, from + bucketsPerCall))
    found += chunk.records
    ;[written, seconds] = [chunk.recorded, chunk.seconds]
  }
  // Fewer than before: an operator has just accepted a loss.
  if (written < recorded || !isKept(generation, seconds, generationSeconds(config))) return undefined
  if (await isMoved(place)) return undefined
  const expected = (recorded * sampled) / buckets
  const missing = expected - found
  const chance = wanted === 'all' ? 0 : minShare * expected + (sampled < buckets ? 6 * Math.sqrt(expected) : 0)
  if (missing <= chance) return undefined
  const lost = Math.min(recorded, Math.round((missing / expected) * recorded))
  return { partition: keys.partition, generation, lost, exact: sampled === buckets, of: recorded }
}

/** Less is not worth an alarm: `orders verify --deep` reports every record. */
const minShare = 0.1

/** Buckets of a generation expire when the one after the next begins. */
function isKept(generation: number, seconds: number, period: number): boolean {
  return generation === Math.floor(seconds / period) || generation === Math.floor(seconds / period) - 1
}

/** A repartition writes the new layout into each partition before it takes records away. */
async function isMoved({ redis, keys }: Place): Promise<boolean> {
  const layout = await redis.get(keys.layoutKey)
  return layout !== null && layout !== keys.layout
}

async function count({ redis, keys }: Place, generation: number, buckets: readonly number[]) {
  const names = [keys.ledgerCounts, ...buckets.map((bucket) => keys.ledger(generation, bucket))]
  const [seconds, recorded, records] = await countRecords(redis, names, [generation])
  return { seconds, recorded, records }
}

/** Accepts a loss: from now on the generation must have that many records fewer. */
export async function acceptLoss({ redis, keys }: Place, { generation, lost }: LedgerLoss): Promise<void> {
  await redis.hincrby(keys.ledgerCounts, String(generation), -lost)
}

export function lossText({ partition, lost, exact, of }: LedgerLoss): string {
  const where = partition === undefined ? '' : `Partition ${partition}: `
  const counts = `${exact ? '' : 'about '}${countText(lost)} of ${countText(of)}`
  const consequence = 'an order that SQS has delivered again since then may have been counted twice'
  return `${where}The ledger lost ${counts} remembered orders: ${consequence}.`
}
