import { z } from 'zod'
import type { Partition } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import { loadScript, runScript } from '../../redis/script.ts'
import { generationNow, generationSeconds } from '../../stages/runner/ledger.ts'

const script = loadScript(import.meta.url)

/** A generation of the ledger that does not have as many lines as were written into it. */
export interface LedgerLoss {
  readonly partition: number | undefined
  readonly generation: number
  /** Estimated by a sample, unless it is exact. */
  readonly lost: number
  readonly exact: boolean
  readonly of: number
}

type Place = Pick<Partition, 'redis' | 'config' | 'keys'>

/** Keys a call: some 2 ms of Redis' time, and fewer arguments than any service takes at most. */
const bucketsPerCall = 2_000

/** Every line that is lost, of all buckets of both generations. What is written meanwhile makes it too few, never too many. */
export async function ledgerLosses(place: Place): Promise<LedgerLoss[]> {
  const now = await generationNow(place)
  const losses = await Promise.all([now, now - 1].map((generation) => ledgerLoss(place, generation, 'all')))
  return losses.flatMap((loss) => loss ?? [])
}

/**
 * Compares the lines of a generation with how many were written into it.
 * @param wanted 'all' looks at all buckets; a number at as many as hold about so many lines, and says only what cannot be chance
 * @returns undefined where nothing is lost, or the generation may go
 */
export async function ledgerLoss(
  place: Place,
  generation: number,
  wanted: number | 'all',
): Promise<LedgerLoss | undefined> {
  const { config, keys } = place
  const { remembered } = await count(place, generation, [])
  if (remembered === 0) return undefined
  const buckets = config.ledgerBuckets
  const sampled = wanted === 'all' ? buckets : Math.min(buckets, Math.ceil((wanted * buckets) / remembered))
  const first = Math.floor(Math.random() * buckets)
  const numbers = Array.from({ length: sampled }, (_, at) => (first + Math.floor((at * buckets) / sampled)) % buckets)
  let [found, written, seconds] = [0, remembered, 0]
  for (let from = 0; from < sampled; from += bucketsPerCall) {
    const chunk = await count(place, generation, numbers.slice(from, from + bucketsPerCall))
    found += chunk.lines
    ;[written, seconds] = [chunk.remembered, chunk.seconds]
  }
  // Fewer than before: an operator has just accepted a loss.
  if (written < remembered || !isKept(generation, seconds, generationSeconds(config))) return undefined
  if (await isMoved(place)) return undefined
  const expected = (remembered * sampled) / buckets
  const missing = expected - found
  const chance = wanted === 'all' ? 0 : leastShare * expected + (sampled < buckets ? 6 * Math.sqrt(expected) : 0)
  if (missing <= chance) return undefined
  const lost = Math.min(remembered, Math.round((missing / expected) * remembered))
  return { partition: keys.partition, generation, lost, exact: sampled === buckets, of: remembered }
}

/** Less is not worth an alarm: `orders verify --deep` tells every line. */
const leastShare = 0.1

/** Buckets of a generation expire when the one after the next begins. */
function isKept(generation: number, seconds: number, period: number): boolean {
  return generation === Math.floor(seconds / period) || generation === Math.floor(seconds / period) - 1
}

/** A repartition names the partitions that there will be in each that there is, before it takes lines away. */
async function isMoved({ redis, keys }: Place): Promise<boolean> {
  const layout = await redis.get(keys.layoutKey)
  return layout !== null && layout !== keys.layout
}

const replies = z.tuple([z.number(), z.number(), z.number()])

async function count({ redis, keys }: Place, generation: number, buckets: readonly number[]) {
  const names = [keys.remembered, ...buckets.map((bucket) => keys.ledger(generation, bucket))]
  const parsed = replies.safeParse(await runScript(redis, script, names, [generation]))
  if (!parsed.success)
    throw new OrdersError('ORD_REDIS_REPLY', 'Redis replied to ledger-lines.lua in an unknown shape.')
  const [seconds, remembered, lines] = parsed.data
  return { seconds, remembered, lines }
}

/** A loss that is known and accepted: from now on so many fewer lines must be there. */
export async function acceptLoss({ redis, keys }: Place, { generation, lost }: LedgerLoss): Promise<void> {
  await redis.hincrby(keys.remembered, String(generation), -lost)
}

export function lossText({ partition, lost, exact, of }: LedgerLoss): string {
  const where = partition === undefined ? '' : `Partition ${partition}: `
  const counts = `${exact ? '' : 'about '}${lost.toLocaleString('en')} of ${of.toLocaleString('en')}`
  const told = 'an order that SQS has delivered again since then may have been counted twice'
  return `${where}The ledger lost ${counts} remembered orders: ${told}.`
}
