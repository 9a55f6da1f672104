import type { PartitionScope } from '../../app.ts'
import type { CountedRecord, RawRecord } from '../../messages.ts'
import type { Message } from '../../order/message.ts'
import type { Channel, Pipeline } from '../../stages/placed.ts'
import { generationNow } from '../../stages/runner/ledger.ts'
import { readCounters } from '../counters.ts'
import { type DeliveryState, type Holding, readDeliveryState } from './delivery-state.ts'
import {
  type Discarded,
  type Found,
  findDiscarded,
  findInvalid,
  findOn,
  findRaw,
  findTotals,
  type Rejected,
  type Sighting,
} from './sightings.ts'

export interface OrderName {
  readonly userId: string
  readonly orderId: string
  /** Ends the search when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** Everything that was found of an order, and, apart from it, of its corrections. */
export interface Evidence {
  readonly raw: Found<Sighting<RawRecord>>
  /** Per channel whose records name orders, in chain order: admitted orders that are not counted yet. */
  readonly admitted: readonly Found<Sighting>[]
  /** Per channel whose records name users. */
  readonly counted: readonly Found<Sighting<CountedRecord>>[]
  readonly invalid: Found<Rejected & Message>
  readonly discarded: Found<Discarded & Message>
  readonly corrections: Corrections
  /** The state of Redis after all streams were scanned. */
  readonly now: DeliveryState
  /** Returns the stages that had or awaited a sighting by then. */
  heldBy(sighting: Sighting): readonly Holding[]
  /** False if orders were requeued during every scan, so that this one may have been missed. */
  readonly settled: boolean
}

/** The finds of an order's corrections: each names its correction. */
export interface Corrections {
  readonly raw: readonly Sighting<RawRecord>[]
  readonly admitted: readonly Sighting[]
  readonly invalid: readonly (Rejected & Message)[]
  readonly discarded: readonly (Discarded & Message)[]
}

/** An order moves on four times at most, unless it is replayed repeatedly. */
const maxScans = 5

export async function gather(scope: PartitionScope, order: OrderName): Promise<Evidence> {
  for (let scan = 1; ; scan++) {
    const evidence = await gatherOnce(scope, order)
    if (evidence.settled || scan === maxScans) return evidence
  }
}

/**
 * Scans the channels in the order of the pipeline: an order that moves on meanwhile is found further down. Two things can hide
 * an order: a replay moves it back past a scanned channel, or a commit happens between the scan of the first channel and the
 * last transaction. Both are detected, and the scan is repeated.
 */
async function gatherOnce(scope: PartitionScope, order: OrderName): Promise<Evidence> {
  const place = { ...order, generation: await generationNow(scope) }
  const before = await readCounters(scope.redis, [scope.keys])
  const raw = await findRaw(scope, order)
  const early = await readDeliveryState(scope, place, raw.found)
  const admitted: Found<Sighting>[] = []
  for (const channel of admittedChannels(scope.pipeline)) admitted.push(await findOn(scope, channel, order))
  const counted: Found<Sighting<CountedRecord>>[] = []
  for (const channel of scope.pipeline.channels) {
    if (channel.names === 'user') counted.push(await findTotals(scope, channel, order))
  }
  const invalid = await findInvalid(scope, order)
  const discarded = await findDiscarded(scope, order)
  const sightings: Sighting[] = [raw, ...admitted, ...counted].flatMap(({ found }): readonly Sighting[] => found)
  const now = await readDeliveryState(scope, place, sightings)
  const heldBy = (sighting: Sighting): readonly Holding[] => now.holdings[sightings.indexOf(sighting)] ?? []
  const judged = raw.found.some((sighting, at) => waits(early.holdings[at] ?? []) && !waits(heldBy(sighting)))
  const settled = !judged && !tookBack(scope, before, now) && early.known?.value === now.known?.value
  const corrections = {
    raw: raw.found.filter(isCorrection),
    admitted: admitted.flatMap(({ found }) => found.filter(isCorrection)),
    invalid: invalid.found.filter(isCorrection),
    discarded: discarded.found.filter(isCorrection),
  }
  return {
    ...{ raw: ofOrder(raw), admitted: admitted.map(ofOrder), invalid: ofOrder(invalid), discarded: ofOrder(discarded) },
    ...{ counted, corrections, now, heldBy, settled },
  }
}

const isCorrection = ({ correction }: Partial<Message>): boolean => correction !== undefined

const ofOrder = <T extends Partial<Message>>({ scan, found }: Found<T>): Found<T> => ({
  scan,
  found: found.filter((one) => !isCorrection(one)),
})

/** Returns the channels that an admitted order passes until it is counted. */
export const admittedChannels = ({ channels }: Pipeline): Channel[] => channels.filter(({ names }) => names === 'order')

/** Returns whether any stage has not processed it yet. */
export const waits = (holdings: readonly Holding[]): boolean => holdings.some(({ state }) => state !== 'acknowledged')

/** Returns whether orders left the invalid channel, or a later stage put some there. */
function tookBack(
  { pipeline }: PartitionScope,
  before: DeliveryState['counters'],
  { counters }: DeliveryState,
): boolean {
  const later = pipeline.stages.flatMap(({ isFirst, counters }) => (isFirst ? [] : [counters.rejected]))
  return ['replayed', 'discarded', ...later].some((name) => before[name] !== counters[name])
}
